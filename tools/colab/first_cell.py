# @title Fetches flowerdiff where it is missing, as on Colab; elsewhere this cell does nothing
import os
import subprocess
import sys
from importlib.util import find_spec
from shutil import unpack_archive
from urllib.request import urlretrieve

if not find_spec("flowerdiff"):
    kernel = "If you have installed the course here, choose its kernel: Kernel > Change Kernel."
    if not find_spec("torch"):  # gigabytes, not to be fetched unasked: this is the wrong Python
        raise ModuleNotFoundError(f"neither flowerdiff nor PyTorch in {sys.executable}. {kernel}")
    print("Fetching flowerdiff, about a minute ...")
    try:
        unpack_archive(urlretrieve("REPOSITORY/archive/main.zip")[0], format="zip")
        packages = ["./FOLDER[metrics]", "anywidget", "matplotlib"]
        subprocess.run([sys.executable, "-m", "pip", "install", "-q", *packages], check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        why = f"flowerdiff could not be fetched ({error}). Is there a network? {kernel}"
        raise ModuleNotFoundError(why) from error
if os.path.isdir("FOLDER"):
    os.chdir("FOLDER/notebooks")  # as in a clone: the lessons find the files they need
