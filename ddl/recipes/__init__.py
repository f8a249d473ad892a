"""The pages' experiments at full size, on one machine or many.

``python -m ddl.recipes NAME`` trains what a page trains, with the same functions of `ddl`
and the same ``ddl.budget``: each module here says what is trained and what is scored. What
they share is in `ddl.recipes.engine`.
"""

NAMES = ("denoising", "residual", "autoencoder", "vae", "image_diffusion")
