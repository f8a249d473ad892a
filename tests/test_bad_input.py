"""Whatever a reader calls with whatever: a ValueError that names the argument, or an answer."""

import inspect
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from jaxtyping import Float
from spoiled import REFUSED, Case, case, draw, few, has_nan, public_callables, rng, spoil
from torch import Tensor, nn

from ddl import (
    attention,
    autoencoder,
    building_models,
    cells,
    convolution,
    denoising,
    diffusion,
    gating,
    handwriting,
    image_diffusion,
    inputs,
    latent_space,
    residual,
    scoring,
    segmentation,
    skip,
    upsampling,
    vae,
)


def mask(*shape: int) -> Tensor:
    return draw(*shape) > 0.5


def steps(*values: int) -> Tensor:
    return torch.tensor(values)


def schedule() -> diffusion.NoiseSchedule:
    return diffusion.linear_schedule(5, 0.1, 0.3)


def mixture() -> latent_space.GaussianMixture:
    return latent_space.GaussianMixture.gaussian(draw(7, 2), diagonal=False)


def zero_noise(x: Tensor, t: Tensor) -> Tensor:
    return torch.zeros_like(x)


def small_unet() -> image_diffusion.UNet:
    return image_diffusion.UNet(schedule(), channels=8, classes=3)


def conv() -> nn.Conv2d:
    return nn.Conv2d(3, 2, 3)


NODE = building_models.Node()
images, image_28 = draw(2, 3, 8, 8), draw(2, 1, 28, 28)
CASES: dict[str, Case] = {
    "gating.logistic_unit": case(gating.logistic_unit, x=draw(5), weight=2.0, bias=1.0),
    "gating.gate": case(gating.gate, values=draw(2, 3), logits=draw(2, 3)),
    "gating.Highway": case(gating.Highway, features=3, gate_bias=-1.0),
    "gating.Highway.forward": case(gating.Highway(3), x=draw(2, 3)),
    "gating.softmax_gate": case(gating.softmax_gate, scores=draw(2, 3), values=draw(3, 5)),
    "gating.LSTMCell": case(gating.LSTMCell, inputs=3, features=5, memory=4.0),
    "gating.LSTMCell.forward": case(
        gating.LSTMCell(3, 5), x=draw(2, 3), state=(draw(2, 5), draw(2, 5))
    ),
    "attention.scaled_dot_product_attention": case(
        attention.scaled_dot_product_attention,
        query=draw(2, 3, 5),
        key=draw(2, 7, 5),
        value=draw(2, 7, 11),
        mask=torch.ones(3, 7, dtype=torch.bool),
    ),
    "attention.causal_mask": case(attention.causal_mask, length=3),
    "attention.sinusoidal_positions": case(attention.sinusoidal_positions, length=3, features=4),
    "attention.MultiHeadAttention": case(attention.MultiHeadAttention, features=4, heads=2),
    "attention.MultiHeadAttention.forward": case(
        attention.MultiHeadAttention(4, 2), x=draw(2, 3, 4), mask=attention.causal_mask(3)
    ),
    "attention.TransformerBlock": case(attention.TransformerBlock, features=4, heads=2, hidden=3),
    "attention.TransformerBlock.forward": case(
        attention.TransformerBlock(4, 2, hidden=3), x=draw(2, 3, 4), mask=attention.causal_mask(3)
    ),
    "skip.concat_width": case(skip.concat_width, sizes=[3, 5], read=[0, 1]),
    "skip.skip_parameters": case(skip.skip_parameters, sizes=[3, 5, 2], reads=[[0], [0, 1]]),
    "skip.SkipMLP": case(skip.SkipMLP, sizes=[3, 5, 2], reads=[[0], [0, 1]]),
    "skip.SkipMLP.outputs": case(skip.SkipMLP([3, 5, 2], [[0], [0, 1]]).outputs, x=draw(7, 3)),
    "skip.SkipMLP.forward": case(skip.SkipMLP([3, 5, 2], [[0], [0, 1]]), x=draw(7, 3)),
    "skip.DenseBlock": case(skip.DenseBlock, channels=3, growth=2, layers=2, kernel=3),
    "skip.DenseBlock.forward": case(skip.DenseBlock(3, growth=2, layers=2), x=images),
    "residual.PadShortcut": case(residual.PadShortcut, in_channels=3, out_channels=5, stride=2),
    "residual.PadShortcut.forward": case(residual.PadShortcut(3, 5, stride=2), x=images),
    "residual.PlainBlock": case(residual.PlainBlock, in_channels=3, channels=5, stride=2),
    "residual.PlainBlock.forward": case(residual.PlainBlock(3, 5), x=images),
    "residual.BasicBlock": case(
        residual.BasicBlock, in_channels=3, channels=5, stride=2, projection=True
    ),
    "residual.BasicBlock.forward": case(residual.BasicBlock(3, 5), x=images),
    "residual.Bottleneck": case(residual.Bottleneck, in_channels=3, channels=5, stride=2),
    "residual.zero_last_gamma": case(residual.zero_last_gamma, model=residual.BasicBlock(3, 5)),
    "residual.StagedNet": case(
        residual.StagedNet,
        stem=nn.Identity(),
        block=residual.BasicBlock,
        repeats=[1, 1],
        widths=[3, 5],
        classes=2,
        projection=True,
    ),
    "residual.StagedNet.forward": case(residual.small_net(8, widths=(3, 4, 5)).eval(), x=images),
    "residual.small_net": case(
        residual.small_net, depth=8, widths=(3, 4, 5), image_channels=1, stem_stride=2, classes=3
    ),
    "residual.imagenet_resnet": case(residual.imagenet_resnet, depth=18),
    "residual.DenseLayer": case(residual.DenseLayer, in_channels=3, growth=2),
    "residual.DenseLayer.forward": case(residual.DenseLayer(3, 2), x=images),
    "residual.densenet121": case(lambda: None),
    "convolution.conv2d": case(
        convolution.conv2d, x=images, weight=draw(5, 3, 2, 3), stride=2, padding=1, dilation=2
    ),
    "convolution.Cost": case(convolution.Cost, parameters=3, multiply_adds=5),
    "convolution.conv_cost": case(
        convolution.conv_cost, in_channels=3, out_channels=5, kernel=3, height=7, width=4
    ),
    "convolution.cost_of": case(convolution.cost_of, model=conv(), x=images),
    "convolution.ReducedConv": case(
        convolution.ReducedConv, in_channels=3, out_channels=5, middle=2, kernel=3
    ),
    "convolution.ReducedConv.forward": case(
        convolution.ReducedConv(3, 5, middle=2, kernel=3), x=images
    ),
    "convolution.ReducedConv.folded": case(
        convolution.ReducedConv(3, 5, middle=2, kernel=3).folded
    ),
    "convolution.lost_share": case(convolution.lost_share, maps=images, middle=2),
    "convolution.InceptionNaive": case(
        convolution.InceptionNaive, in_channels=3, ones=1, threes=2, fives=3
    ),
    "convolution.InceptionNaive.forward": case(
        convolution.InceptionNaive(3, ones=1, threes=2, fives=3), x=images
    ),
    "convolution.InceptionReduced": case(
        convolution.InceptionReduced, in_channels=3, ones=1, threes=(1, 2), fives=(1, 2), pooled=2
    ),
    "convolution.InceptionReduced.forward": case(
        convolution.InceptionReduced(3, ones=1, threes=(1, 2), fives=(1, 2), pooled=2), x=images
    ),
    "upsampling.conv_output_size": case(
        upsampling.conv_output_size, size=7, kernel=3, stride=2, padding=1, dilation=2
    ),
    "upsampling.transposed_output_size": case(
        upsampling.transposed_output_size,
        size=7,
        kernel=3,
        stride=2,
        padding=1,
        dilation=2,
        output_padding=1,
    ),
    "upsampling.conv_matrix": case(
        upsampling.conv_matrix, kernel=draw(2, 3), height=5, width=4, stride=2
    ),
    "upsampling.transposed_conv2d": case(
        upsampling.transposed_conv2d,
        x=images,
        weight=draw(3, 5, 2, 3),
        stride=2,
        padding=1,
        dilation=2,
        output_padding=1,
    ),
    "upsampling.overlap_counts": case(upsampling.overlap_counts, size=3, kernel=3, stride=2),
    "upsampling.phase_sums": case(upsampling.phase_sums, weight=draw(3, 5, 4, 4), stride=2),
    "upsampling.checkerboard_share": case(upsampling.checkerboard_share, images=images, period=2),
    "upsampling.icnr_": case(upsampling.icnr_, weight=draw(3, 5, 4, 4), stride=2, generator=rng()),
    "upsampling.ResizeConv": case(
        upsampling.ResizeConv, in_channels=3, out_channels=5, kernel=3, scale=2
    ),
    "upsampling.ResizeConv.forward": case(upsampling.ResizeConv(3, 5), x=images),
    "segmentation.iou": case(segmentation.iou, prediction=mask(3, 5), truth=mask(3, 5)),
    "segmentation.dice": case(segmentation.dice, prediction=mask(3, 5), truth=mask(3, 5)),
    "segmentation.boundary_band": case(segmentation.boundary_band, masks=mask(2, 5, 7), width=1),
    "segmentation.crop_to": case(segmentation.crop_to, x=images, size=(3, 5)),
    "segmentation.unet_output_size": case(
        segmentation.unet_output_size, size=8, depth=1, padding=1
    ),
    "segmentation.DoubleConv": case(
        segmentation.DoubleConv, in_channels=3, out_channels=5, padding=1
    ),
    "segmentation.UNet": case(
        segmentation.UNet,
        in_channels=3,
        out_channels=2,
        filters=2,
        depth=1,
        padding=1,
        skips="add",
    ),
    "segmentation.UNet.forward": case(
        segmentation.UNet(3, 2, filters=2, depth=1, padding=1), x=images
    ),
    "segmentation.UNet.join": case(
        segmentation.UNet(3, 2, filters=2, depth=1).join, early=images, late=draw(2, 3, 6, 6)
    ),
    "segmentation.StackedHourglass": case(
        segmentation.StackedHourglass, in_channels=3, out_channels=2, filters=2, depth=1, stacks=2
    ),
    "segmentation.StackedHourglass.forward": case(
        segmentation.StackedHourglass(3, 2, filters=2, depth=1, stacks=2), image=images
    ),
    "autoencoder.PCA.fit": case(autoencoder.PCA.fit, x=draw(7, 5), dimensions=3),
    "autoencoder.PCA": case(
        autoencoder.PCA, mean=draw(5), components=draw(3, 5), eigenvalues=draw(5)
    ),
    "autoencoder.PCA.first": case(autoencoder.PCA.fit(draw(7, 5), 3).first, dimensions=2),
    "autoencoder.PCA.encode": case(autoencoder.PCA.fit(draw(7, 5), 3).encode, x=draw(2, 5)),
    "autoencoder.PCA.decode": case(autoencoder.PCA.fit(draw(7, 5), 3).decode, z=draw(2, 3)),
    "autoencoder.principal_angles": case(autoencoder.principal_angles, a=draw(2, 5), b=draw(3, 5)),
    "autoencoder.nearest": case(autoencoder.nearest, x=draw(7, 5), points=draw(3, 5)),
    "autoencoder.KMeans": case(autoencoder.KMeans, centroids=draw(3, 5)),
    "autoencoder.KMeans.fit": case(
        autoencoder.KMeans.fit, x=draw(7, 5), clusters=3, steps=2, generator=rng()
    ),
    "autoencoder.KMeans.step": case(autoencoder.KMeans(draw(3, 5)).step, x=draw(7, 5)),
    "autoencoder.KMeans.encode": case(autoencoder.KMeans(draw(3, 5)).encode, x=draw(7, 5)),
    "autoencoder.KMeans.decode": case(autoencoder.KMeans(draw(3, 5)).decode, z=steps(0, 2)),
    "autoencoder.LinearAutoencoder": case(autoencoder.LinearAutoencoder, features=5, latent=2),
    "autoencoder.LinearAutoencoder.encode": case(
        autoencoder.LinearAutoencoder(5, 2).encode, x=draw(7, 5)
    ),
    "autoencoder.LinearAutoencoder.decode": case(
        autoencoder.LinearAutoencoder(5, 2).decode, z=draw(7, 2)
    ),
    "autoencoder.LinearAutoencoder.forward": case(
        autoencoder.LinearAutoencoder(5, 2), x=draw(7, 5)
    ),
    "autoencoder.ConvAutoencoder": case(autoencoder.ConvAutoencoder, latent=2, channels=3),
    "autoencoder.ConvAutoencoder.encode": case(
        autoencoder.ConvAutoencoder(2, 3).encode, images=image_28
    ),
    "autoencoder.ConvAutoencoder.decode": case(
        autoencoder.ConvAutoencoder(2, 3).decode, z=draw(7, 2)
    ),
    "autoencoder.ConvAutoencoder.forward": case(autoencoder.ConvAutoencoder(2, 3), images=image_28),
    "denoising.ternary_noise": case(denoising.ternary_noise, images=image_28, generator=rng()),
    "denoising.add_noise": case(denoising.add_noise, images=image_28, noise=image_28, amount=0.5),
    "denoising.DenoisingAutoencoder": case(
        denoising.DenoisingAutoencoder, filters=2, bottleneck=3, skips=True
    ),
    "denoising.DenoisingAutoencoder.forward": case(
        denoising.DenoisingAutoencoder(filters=2, bottleneck=3, skips=True), x=image_28
    ),
    "denoising.DenoisingAutoencoder.logits": case(
        denoising.DenoisingAutoencoder(filters=2, bottleneck=3, skips=True).logits, x=image_28
    ),
    "denoising.entropy_floor": case(denoising.entropy_floor, images=image_28),
    "denoising.feed_back": case(
        denoising.feed_back,
        model=denoising.DenoisingAutoencoder(filters=2, bottleneck=3, skips=True),
        images=image_28,
        passes=2,
    ),
    "latent_space.interpolate": case(
        latent_space.interpolate,
        encode=torch.neg,
        decode=torch.neg,
        x=draw(2, 3),
        other=draw(2, 3),
        alpha=0.5,
    ),
    "latent_space.GaussianMixture": case(
        latent_space.GaussianMixture,
        weights=torch.ones(1),
        means=draw(1, 2),
        covariances=torch.eye(2)[None],
    ),
    "latent_space.GaussianMixture.gaussian": case(
        latent_space.GaussianMixture.gaussian, z=draw(7, 2), diagonal=True
    ),
    "latent_space.GaussianMixture.fit": case(
        latent_space.GaussianMixture.fit, z=draw(17, 2), components=2, steps=2, generator=rng()
    ),
    "latent_space.GaussianMixture.step": case(mixture().step, z=draw(7, 2)),
    "latent_space.GaussianMixture.log_joint": case(mixture().log_joint, z=draw(7, 2)),
    "latent_space.GaussianMixture.log_prob": case(mixture().log_prob, z=draw(7, 2)),
    "latent_space.GaussianMixture.responsibilities": case(mixture().responsibilities, z=draw(7, 2)),
    "latent_space.GaussianMixture.sample": case(mixture().sample, count=3, generator=rng()),
    "latent_space.shuffle_coordinates": case(
        latent_space.shuffle_coordinates, z=draw(7, 2), generator=rng()
    ),
    "latent_space.StridedAutoencoder": case(latent_space.StridedAutoencoder, latent=2),
    "latent_space.StridedAutoencoder.encode": case(
        latent_space.StridedAutoencoder(2).encode, images=image_28
    ),
    "latent_space.StridedAutoencoder.decode": case(
        latent_space.StridedAutoencoder(2).decode, z=draw(7, 2)
    ),
    "latent_space.StridedAutoencoder.forward": case(
        latent_space.StridedAutoencoder(2), images=image_28
    ),
    "vae.reparameterise": case(
        vae.reparameterise, mean=draw(7, 2), log_variance=draw(7, 2), noise=draw(3, 7, 2)
    ),
    "vae.gaussian_log_density": case(
        vae.gaussian_log_density, x=draw(7, 2), mean=draw(7, 2), log_variance=draw(7, 2)
    ),
    "vae.gaussian_kl": case(vae.gaussian_kl, mean=draw(7, 2), log_variance=draw(7, 2)),
    "vae.bernoulli_log_likelihood": case(
        vae.bernoulli_log_likelihood, x=mask(7, 5).float(), logits=draw(3, 7, 5)
    ),
    "vae.LatentModel.encode": case(vae.LinearVAE(5, latent=2).encode, x=draw(7, 5)),
    "vae.LatentModel.log_likelihood": case(
        vae.LinearVAE(5, latent=2).log_likelihood, x=draw(7, 5), z=draw(3, 7, 2)
    ),
    "vae.LatentModel.forward": case(
        vae.VAE(5, hidden=3, latent=2), x=mask(7, 5).float(), noise=draw(3, 7, 2)
    ),
    "vae.VAE": case(vae.VAE, pixels=5, hidden=3, latent=2),
    "vae.VAE.encode": case(vae.VAE(5, hidden=3, latent=2).encode, x=draw(7, 5)),
    "vae.VAE.decode": case(vae.VAE(5, hidden=3, latent=2).decode, z=draw(7, 2)),
    "vae.VAE.log_likelihood": case(
        vae.VAE(5, hidden=3, latent=2).log_likelihood, x=mask(7, 5).float(), z=draw(3, 7, 2)
    ),
    "vae.LinearVAE": case(vae.LinearVAE, features=5, latent=2),
    "vae.LinearVAE.encode": case(vae.LinearVAE(5, latent=2).encode, x=draw(7, 5)),
    "vae.LinearVAE.log_likelihood": case(
        vae.LinearVAE(5, latent=2).log_likelihood, x=draw(7, 5), z=draw(3, 7, 2)
    ),
    "vae.LinearVAE.log_evidence": case(vae.LinearVAE(5, latent=2).log_evidence, x=draw(7, 5)),
    "vae.iwae_bound": case(
        vae.iwae_bound, model=vae.LinearVAE(5, latent=2), x=draw(7, 5), noise=draw(3, 7, 2)
    ),
    "diffusion.NoiseSchedule": case(diffusion.NoiseSchedule, betas=draw(5) / 2 + 0.1),
    "diffusion.NoiseSchedule.at": case(
        schedule().at, values=draw(6).double(), t=steps(0, 5), x=draw(2, 3)
    ),
    "diffusion.NoiseSchedule.q_sample": case(
        schedule().q_sample, x0=draw(2, 3), t=steps(0, 5), noise=draw(2, 3)
    ),
    "diffusion.NoiseSchedule.draw": case(schedule().draw, x0=draw(2, 3), generator=rng()),
    "diffusion.NoiseSchedule.predict_x0": case(
        schedule().predict_x0, x_t=draw(2, 3), t=steps(0, 5), noise=draw(2, 3)
    ),
    "diffusion.NoiseSchedule.ddpm_step": case(
        schedule().ddpm_step,
        x_t=draw(2, 3),
        t=steps(1, 5),
        predicted_noise=draw(2, 3),
        noise=draw(2, 3),
    ),
    "diffusion.NoiseSchedule.ddim_step": case(
        schedule().ddim_step,
        x_t=draw(2, 3),
        t=steps(1, 5),
        t_prev=steps(0, 3),
        predicted_noise=draw(2, 3),
    ),
    "diffusion.linear_schedule": case(diffusion.linear_schedule, steps=5, start=0.1, end=0.2),
    "diffusion.cosine_schedule": case(diffusion.cosine_schedule, steps=5),
    "diffusion.ddpm_sample": case(
        diffusion.ddpm_sample,
        model=zero_noise,
        schedule=schedule(),
        x_T=draw(2, 3),
        generator=rng(),
    ),
    "diffusion.ddim_sample": case(
        diffusion.ddim_sample, model=zero_noise, schedule=schedule(), x_T=draw(2, 3), steps=2
    ),
    "diffusion.timestep_embedding": case(diffusion.timestep_embedding, t=steps(0, 5), size=4),
    "diffusion.ExactNoise": case(
        diffusion.ExactNoise,
        schedule=schedule(),
        means=draw(2, 3),
        std=0.1,
        weights=torch.tensor([0.25, 0.75]),
    ),
    "diffusion.ExactNoise.forward": case(
        diffusion.ExactNoise(schedule(), draw(2, 3), 0.1), x=draw(2, 3), t=steps(1, 5)
    ),
    "image_diffusion.TimedResidualBlock": case(
        image_diffusion.TimedResidualBlock, in_channels=8, out_channels=16, features=3
    ),
    "image_diffusion.TimedResidualBlock.forward": case(
        image_diffusion.TimedResidualBlock(8, 16, 3), x=draw(2, 8, 4, 4), c=draw(2, 3)
    ),
    "image_diffusion.PixelAttention": case(image_diffusion.PixelAttention, channels=8, heads=2),
    "image_diffusion.PixelAttention.forward": case(
        image_diffusion.PixelAttention(8, 2), x=draw(2, 8, 4, 4)
    ),
    "image_diffusion.UNet": case(image_diffusion.UNet, schedule=schedule(), channels=8, classes=3),
    "image_diffusion.UNet.forward": case(
        small_unet(), x=draw(2, 1, 4, 4), t=steps(1, 5), labels=steps(0, 3)
    ),
    "image_diffusion.UNet.velocity": case(
        small_unet().velocity, x=draw(2, 1, 4, 4), t=steps(1, 5), labels=steps(0, 3)
    ),
    "image_diffusion.drop_labels": case(
        image_diffusion.drop_labels, labels=steps(0, 2), share=0.5, nothing=3, generator=rng()
    ),
    "image_diffusion.guided": case(
        image_diffusion.guided, model=small_unet(), labels=steps(0, 2), guidance=1.0
    ),
    "image_diffusion.MovingAverage": case(
        image_diffusion.MovingAverage, model=nn.Linear(2, 3), decay=0.9
    ),
    "image_diffusion.MovingAverage.update": case(
        image_diffusion.MovingAverage(nn.Linear(2, 3), decay=0.9).update, model=nn.Linear(2, 3)
    ),
    "image_diffusion.respaced": case(image_diffusion.respaced, schedule=schedule(), steps=3),
    "image_diffusion.split_bands": case(image_diffusion.split_bands, images=image_28, cutoff=3.0),
    "building_models.Node": case(building_models.Node, layer=None),
    "building_models.path_to": case(
        building_models.path_to, output=building_models.Node(nn.Identity(), NODE), inputs=[NODE]
    ),
    "building_models.Graph": case(
        building_models.Graph, inputs=[NODE], output=building_models.Node(nn.Identity(), NODE)
    ),
    "building_models.Graph.forward": case(
        lambda values: building_models.Graph([NODE], building_models.Node(nn.Linear(3, 2), NODE))(
            values
        ),
        values=draw(2, 3),
    ),
    "building_models.dense_from_keras": case(
        building_models.dense_from_keras, kernel=draw(3, 2), bias=draw(2)
    ),
    "building_models.conv_from_keras": case(
        building_models.conv_from_keras, kernel=draw(3, 3, 5, 2), bias=draw(2), padding=1
    ),
    "building_models.conv_transpose_from_keras": case(
        building_models.conv_transpose_from_keras,
        kernel=draw(3, 3, 5, 2),
        bias=draw(5),
        stride=2,
    ),
    "building_models.channels_first_rows": case(
        building_models.channels_first_rows, kernel=draw(12, 5), channels=3
    ),
    "cells.draw_cells": case(cells.draw_cells, count=1, size=8, generator=rng()),
    "handwriting.draw_digits": case(handwriting.draw_digits, labels=steps(1, 2), generator=rng()),
    "scoring.frechet_distance": case(scoring.frechet_distance, a=draw(7, 3), b=draw(5, 3)),
    "scoring.DigitClassifier": case(scoring.DigitClassifier, size=8),
    "scoring.DigitClassifier.forward": case(scoring.DigitClassifier(8), images=draw(2, 1, 8, 8)),
    "scoring.DigitClassifier.features": case(
        scoring.DigitClassifier(8).features, images=draw(2, 1, 8, 8)
    ),
    "scoring.DigitClassifier.probabilities": case(
        scoring.DigitClassifier(8).probabilities, images=draw(2, 1, 8, 8)
    ),
    "scoring.train_digit_classifier": case(
        scoring.train_digit_classifier,
        images=draw(4, 1, 8, 8),
        labels=steps(0, 1, 2, 9),
        generator=rng(),
        epochs=2,
    ),
    "scoring.accuracy": case(
        scoring.accuracy,
        classifier=scoring.DigitClassifier(8),
        images=draw(2, 1, 8, 8),
        labels=steps(1, 2),
    ),
}
MODULES = (
    attention, autoencoder, building_models, cells, convolution, denoising, diffusion, gating,
    handwriting, image_diffusion, latent_space, residual, scoring, segmentation, skip,
    upsampling, vae,
)  # fmt: skip


# Answers in which a NaN cannot show: sizes alone count, or it comes of what is returned.
SHOW_NONE = {
    "convolution.cost_of", "denoising.ternary_noise", "diffusion.NoiseSchedule.at",
    "image_diffusion.guided",
}  # fmt: skip


def test_every_public_callable_is_listed() -> None:
    assert set(public_callables(*MODULES)) <= set(CASES)


@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors")  # of a layer of no features
@pytest.mark.parametrize("name", CASES)
@few
@given(choice=st.data())
def test_bad_input_is_named_or_answered(name: str, choice: st.DataObject) -> None:
    answer = spoil(CASES[name], choice)
    if answer is None or answer.refused:
        return
    assert answer.fault not in REFUSED, answer
    if answer.fault != "meta" and name not in SHOW_NONE:
        assert has_nan(answer.result) == has_nan(answer.value), answer


@pytest.mark.parametrize("name", CASES)
def test_what_is_spoiled_was_right(name: str) -> None:
    function, arguments = CASES[name]()
    assert not has_nan(function(**arguments))


def test_a_method_is_held_to_the_sizes_of_its_dataclass(bad_input: Any) -> None:
    pca = autoencoder.PCA.fit(draw(7, 5), 2)
    with bad_input(r"x must be float .* beside self\.mean float32 \(5,\)"):
        pca.encode(draw(7, 1))  # torch would have repeated the one column


def test_errors_that_are_not_about_arguments_stay_what_they_are() -> None:
    def out_of_memory(x: Tensor) -> Tensor:
        raise torch.OutOfMemoryError("no memory left")

    def mistaken(x: Tensor) -> Tensor:
        raise KeyError("a mistake of the reader's own")

    for function, error in ((out_of_memory, torch.OutOfMemoryError), (mistaken, KeyError)):
        with pytest.raises(error):
            latent_space.interpolate(function, torch.neg, draw(2, 3), draw(2, 3), 0.5)


def test_a_guarded_function_compiles_and_keeps_its_signature() -> None:
    def double(x: Float[Tensor, "batch"]) -> Tensor:
        return 2 * x

    compiled = torch.compile(inputs.guarded(double), backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(draw(3)), 2 * draw(3))
    assert list(inspect.signature(gating.gate).parameters) == ["values", "logits"]
    assert "def gate(" in inspect.getsource(gating.gate)
