"""What the paper reports: its Tables 1, 2 and 3."""

QUALITY = ("CNN-IQA", "NIQE", "BRISQUE")

# (row, conditional): CNN-IQA, NIQE, BRISQUE; means over 106 images.
TABLE_1 = {
    ("two-layer", False): (0.49, 4.50, 11.81),
    ("batch-32", False): (0.50, 4.38, 9.54),
    ("augmented-as-published", False): (0.54, 21.53, 66.21),
    ("three-layer", False): (0.52, 4.95, 12.45),
    ("two-layer", True): (0.48, 4.90, 14.51),
    ("batch-32", True): (0.48, 4.78, 13.38),
    ("augmented-as-published", True): (0.15, 17.89, 50.01),
    ("three-layer", True): (0.54, 4.97, 17.20),
}

# (row, conditional): training for 80 epochs, sampling 106 images; h:mm:ss on a V100.
TABLE_2 = {
    ("two-layer", False): ("0:32:46", "0:05:06"),
    ("batch-32", False): ("0:31:05", "0:04:58"),
    ("augmented-as-published", False): ("0:30:53", "0:04:59"),
    ("three-layer", False): ("2:11:53", "0:20:12"),
    ("two-layer", True): ("0:32:47", "0:10:05"),
    ("batch-32", True): ("0:30:54", "0:10:10"),
    ("augmented-as-published", True): ("0:30:52", "0:10:08"),
    ("three-layer", True): ("2:11:25", "0:25:24"),
}

# w: FID and IS of 53 images.
TABLE_3 = {
    0.0: (317.29, 1.87),
    0.1: (309.76, 1.80),
    0.5: (330.88, 1.75),
    1.0: (320.70, 1.74),
    2.0: (310.38, 1.88),
    4.0: (331.78, 2.10),
}
