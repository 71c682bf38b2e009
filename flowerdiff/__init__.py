"""flowerdiff: diffusion models you can step through, on flowers.

Start with `notebooks/00_first_flower.ipynb`, or read the library in this order: schedule, sampling,
guidance, training, unet, checkpoint.
"""
