"""Modules and the packages that bring them, where the two have different names."""

_PACKAGES = {
    "PIL": "pillow",
    "bs4": "beautifulsoup4",
    "cv2": "opencv-python-headless",
    "faiss": "faiss-cpu",
    "ortools": "'ortools<9.12'",  # what AlgoTune's references are written for
    "ot": "POT",
    "pysat": "python-sat",
    "pywt": "PyWavelets",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
}


def package_of(module: str) -> str:
    """Return the name by which ``pip`` installs a module."""
    top = module.partition(".")[0]
    return _PACKAGES.get(top, top)
