"""Checks of the exercises on image diffusion."""

from typing import Any

import torch
from torch import Tensor

from ddl.diffusion import cosine_schedule, linear_schedule
from ddl.exercises import alike, check, expect, expect_number, expect_tensor


@check
def guide(solution: Any) -> str:
    """Check guidance by hand: ``guide(told, untold, w)``."""
    generator = torch.Generator().manual_seed(0)
    for shape, w in (((3, 1, 5, 7), 2.0), ((2, 1, 3, 3), 0.5), ((5, 2), 0.0), ((5, 2), -1.0)):
        told, untold = torch.randn(2, *shape, generator=generator)
        answer = solution(told, untold, w)
        hint = f"It is wrong for w = {w:g}."
        if w == 2 and isinstance(answer, Tensor) and answer.shape == told.shape:
            others = {
                "Here w = 0 means told and no more. Your w = 1 does.": (w - 1, told, untold),
                "Guidance leads away from what is predicted without the class.": (w, untold, told),
                "Walk on past told, not back towards untold.": (-w, told, untold),
            }
            for words, (v, a, b) in others.items():
                if alike(answer, a + v * (a - b), atol=1e-5):
                    hint = words
            expect(
                not alike(answer, (1 + w) * told + w * untold, atol=1e-5),
                "the weights of told and untold should sum to 1, whatever w is.",
            )
        expect_tensor(answer, told + w * (told - untold), hint=hint)
    return "past the prediction with the class, away from the one without."


@check
def short_betas(solution: Any) -> str:
    """Check the betas of a shorter walk: ``short_betas(alpha_bar, stops)``."""
    for schedule, places in (
        (linear_schedule(100), [0, 10, 35, 100]),
        (cosine_schedule(50), [0, 1, 2, 25, 49]),
        (linear_schedule(7), [0, 7]),
    ):
        alpha_bar, stops = schedule.alpha_bar, torch.tensor(places)
        kept = alpha_bar[stops]
        expected = 1 - kept[1:] / kept[:-1]
        answer = solution(alpha_bar, stops)
        hint = ""
        if isinstance(answer, Tensor) and answer.shape == (len(expected) + 1,):
            expect(False, f"{len(stops)} stops are {len(expected)} strides: one beta for each.")
        if isinstance(answer, Tensor) and answer.shape == expected.shape:
            others = {
                "That is the noise at a stop. A beta is what one stride adds.": 1 - kept[1:],
                "A stride is longer than a step: its beta is larger.": schedule.betas[stops[1:]],
                "That is what a stride keeps.": kept[1:] / kept[:-1],
                "alpha_bar holds variances already: no root is needed.": 1
                - (kept[1:] / kept[:-1]).sqrt(),
                "Strides multiply, they do not add.": kept[:-1] - kept[1:],
            }
            for words, other in others.items():
                if not torch.allclose(other, expected) and torch.allclose(
                    answer.to(other), other, atol=1e-7
                ):
                    hint = words
        expect_tensor(answer, expected, hint=hint, atol=1e-7)
    return "what is left at each stop is what the long walk leaves there."


@check
def drowns(solution: Any) -> str:
    """Check the step at which a wave is lost in noise: ``drowns(power, alpha_bar)``."""
    for schedule, powers in (
        (linear_schedule(1000), (1.0, 100.0, 0.01)),
        (cosine_schedule(37), (3.0,)),
    ):
        alpha_bar = schedule.alpha_bar
        for power in powers:
            below = alpha_bar * power < 1 - alpha_bar
            expected = int(below.nonzero()[0])
            answer = solution(power, alpha_bar)
            hint = f"It is wrong for power {power:g}."
            if isinstance(answer, Tensor) and answer.numel() == 1:
                answer = answer.item()
            if isinstance(answer, int | float) and not isinstance(answer, bool):
                roots = alpha_bar.sqrt() * power < (1 - alpha_bar).sqrt()
                if answer == expected - 1:
                    hint = "At that step the wave is still the stronger one. Count from t = 0."
                elif answer == int((alpha_bar * power < 1).nonzero()[0]):
                    hint = "The noise has the power 1 - alpha_bar at step t, not 1."
                elif answer == int(roots.nonzero()[0]):
                    hint = "Powers are squares: no root is needed."
                elif answer == int((alpha_bar < 1 - alpha_bar).nonzero()[0]):
                    hint = "The wave's own power counts."
            expect_number(answer, expected, hint=hint)
    return "the weaker a wave, the sooner it is lost."
