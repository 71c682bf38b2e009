"""Files of weights: missing, wrong, harmful, and how they come over the network."""

import hashlib
import socket
import threading
import time
from dataclasses import replace
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
import torch
from torch import nn

import flowerdiff.evaluate  # noqa: F401 (now, while find_spec tells the truth)
from flowerdiff.cli import main
from flowerdiff.metrics import (
    BadWeights,
    MissingExtra,
    MissingWeights,
    brisque,
    cnn_iqa,
    download,
    features,
    inception,
    inception_logits,
    nets,
    niqe,
    weights,
)

ALL = list(weights.FILES.values())


@pytest.fixture
def torch_home(tmp_path, monkeypatch):
    """An empty place for weights."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return tmp_path / "torch"


@pytest.fixture
def installed(monkeypatch):
    """As if every package of every extra were installed."""
    monkeypatch.setattr(features.util, "find_spec", lambda name: name)


@pytest.fixture
def offline(monkeypatch):
    """Nobody may even ask for an address."""

    def asked(*_, **__):
        pytest.fail("something tried to use the network")

    monkeypatch.setattr(socket, "getaddrinfo", asked)
    monkeypatch.setattr(socket.socket, "connect", asked)


class Code:
    def __reduce__(self):
        return pytest.fail, ("the file of weights ran code",)


def save(folder, name, held):
    """Write a .pth file with its hash in its name."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(held, folder / "new")
    digest = hashlib.sha256((folder / "new").read_bytes()).hexdigest()
    return (folder / "new").rename(folder / f"{name}-{digest[:8]}.pth")


# --- reading ---


@pytest.mark.parametrize(
    ("make", "file", "size", "name"),
    [
        (niqe, "niqe_modelparameters.mat", "11 kB", "niqe"),
        (brisque, "brisque_svm_weights.pth", "0.2 MB", "brisque"),
        (cnn_iqa, "CNNIQA_koniq10k-e6f14c91.pth", "2.9 MB", "cnn-iqa"),
        (inception, "weights-inception-2015-12-05-6726825d.pth", "96 MB", "inception"),
        (inception_logits, "weights-inception-2015-12-05-6726825d.pth", "96 MB", "inception"),
    ],
)
def test_missing_weights_are_named_at_once(make, file, size, name, torch_home, installed, offline):
    began = time.perf_counter()
    with pytest.raises(MissingWeights) as caught:
        make()
    assert time.perf_counter() - began < 1
    for part in (file, size, str(torch_home), f"flowerdiff weights get {name}"):
        assert part in str(caught.value)
    assert not torch_home.exists()


def test_a_command_that_lacks_weights_says_so_before_it_starts(
    torch_home, installed, offline, tmp_path, capsys
):
    out = tmp_path / "out"
    command = ["evaluate", "--source", "garden", "--out", str(out)]
    began = time.perf_counter()
    assert main([*command, "--quality", "is"]) == 1
    assert main([*command, "--features", "inception"]) == 1
    assert time.perf_counter() - began < 1
    error = capsys.readouterr().err
    assert error.count("\n") == 2 and error.count("flowerdiff weights get inception") == 2
    assert not out.exists()


def test_the_licence_is_named_where_pyiqa_is_to_be_installed(monkeypatch, torch_home):
    monkeypatch.setattr(features.util, "find_spec", lambda name: None)
    for make in (niqe, brisque, cnn_iqa):
        with pytest.raises(MissingExtra, match=r"needs pyiqa.*\[quality\].*non-commercial"):
            make()
    with pytest.raises(MissingExtra, match=r"needs torch_fidelity: .*\[metrics\]"):
        inception()


@pytest.mark.parametrize("file", [f for f in ALL if f.file.endswith(".pth")], ids=lambda f: f.name)
@pytest.mark.parametrize("harm", [{"conv1.weight": Code()}, [torch.ones(3), Code()], Code()])
def test_weights_run_no_code(file, harm, tmp_path, torch_home):
    path = save(tmp_path, "net", harm)
    theirs = replace(file, file=path.name)
    theirs.path.parent.mkdir(parents=True)
    path.rename(theirs.path)
    with pytest.raises(BadWeights, match="could run code"):
        theirs.read()


def test_no_weights_reach_an_unpickler_unread(torch_home, installed, monkeypatch):
    """Harm in the files themselves, and in none does pyiqa or torch-fidelity get to look at it."""
    for file, make in zip(ALL[::-1], (brisque, niqe, cnn_iqa, inception), strict=True):
        file.path.parent.mkdir(parents=True, exist_ok=True)
        torch.save({"params": Code()}, file.path)
        with pytest.raises(BadWeights):
            make()


def test_weights_that_are_not_what_their_name_says_are_refused(tmp_path, torch_home):
    with pytest.raises(MissingWeights, match="no weights at"):
        weights.read_weights(tmp_path / "net-01234567.pth")
    torch.save({"weight": torch.ones(2)}, tmp_path / "net-01234567.pth")
    with pytest.raises(BadWeights, match="another hash"):
        weights.read_weights(tmp_path / "net-01234567.pth")
    good = save(tmp_path, "net", {"weight": torch.ones(2)})
    assert weights.read_weights(good)["weight"].tolist() == [1, 1]
    with pytest.raises(BadWeights, match="cut short"):
        weights.tensors(good.read_bytes()[:-100], "net")
    with pytest.raises(RuntimeError, match="shapes differ"):
        nets._in_order(nn.Linear(2, 1), {"w": torch.ones(2, 1), "b": torch.ones(1)})


@pytest.mark.parametrize("name", ["niqe", "brisque", "cnn-iqa"])
@pytest.mark.parametrize("held", [[torch.ones(3), torch.ones(2, 36)], torch.ones(1), {"a": 3}])
def test_other_things_than_weights_are_refused(name, held, tmp_path):
    torch.save(held, tmp_path / "file.pth")
    data = (tmp_path / "file.pth").read_bytes()
    with pytest.raises(BadWeights, match="file.pth"):
        weights.FILES[name].check(data, tmp_path / "file.pth")


def test_a_file_of_matlab_with_other_numbers_is_refused(tmp_path):
    from scipy.io import savemat

    savemat(tmp_path / "a.mat", {"mu_prisparam": torch.ones(1, 36).numpy()})
    with pytest.raises(BadWeights, match="no MATLAB file of NIQE"):
        weights.NIQE.check((tmp_path / "a.mat").read_bytes(), tmp_path / "a.mat")
    wrong = {"mu_prisparam": torch.ones(36).numpy(), "cov_prisparam": torch.ones(36, 1).numpy()}
    savemat(tmp_path / "a.mat", wrong)
    with pytest.raises(BadWeights, match="shapes"):
        weights.NIQE.check((tmp_path / "a.mat").read_bytes(), tmp_path / "a.mat")


def test_weights_are_where_other_programs_put_them(torch_home):
    home = torch_home / "hub"
    assert weights.NIQE.path == home / "pyiqa/niqe_modelparameters.mat"
    assert weights.INCEPTION.path.parent == home / "checkpoints"
    other = home / "checkpoints/pt_inception-2015-12-05-6726825d.pth"
    other.parent.mkdir(parents=True)
    other.touch()
    assert weights.INCEPTION.path == other


# --- downloading ---


class Short(BaseHTTPRequestHandler):
    """Promises more bytes than it sends."""

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b"x" * 10)

    def log_message(self, *_):
        pass


class Silent(Short):
    """Accepts, and never answers."""

    def do_GET(self):
        self.server.stop.wait(20)


class Folder(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def serve(tmp_path):
    """Start a server with a handler, by default of the folder tmp_path/www; gives its address."""
    (tmp_path / "www").mkdir()
    servers = []

    def start(handler=None):
        handler = handler or partial(Folder, directory=tmp_path / "www")
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        server.stop = threading.Event()
        threading.Thread(target=server.serve_forever, args=[0.01]).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.stop.set()
        server.shutdown()
        server.server_close()


@pytest.fixture
def small_file(tmp_path, serve, monkeypatch):
    """A file like CNN-IQA's, on a server, under the name that the command line knows."""
    path = save(tmp_path / "www", "CNNIQA", {"params": {"conv1.weight": torch.ones(4)}})
    file = replace(weights.CNN_IQA, file=path.name, urls=(f"{serve()}/{path.name}",))
    monkeypatch.setitem(weights.FILES, "cnn-iqa", file)
    return file


def left_over(folder):
    return [path.name for path in folder.rglob("*") if path.is_file()]


def test_weights_come_over_the_network(small_file, torch_home, serve, capsys):
    assert main(["weights"]) == 0
    assert "cnn-iqa  2.9 MB, CNN-IQA: flowerdiff weights get cnn-iqa" in capsys.readouterr().out
    assert main(["weights", "get", "cnn-iqa"]) == 0
    told = capsys.readouterr()
    assert "non-commercial" in told.out and str(torch_home / "hub/pyiqa") in told.out
    assert "100%" in told.err  # progress
    assert left_over(torch_home) == [small_file.file]
    assert small_file.read()["conv1.weight"].tolist() == [1, 1, 1, 1]
    assert main(["weights"]) == 0
    assert "CNN-IQA: here" in capsys.readouterr().out


def test_a_file_that_is_here_is_not_asked_for_again(small_file, torch_home, monkeypatch):
    path = download.get(small_file)
    asked = []
    monkeypatch.setattr(download, "_fetch", lambda *_: asked.append(1) or path.read_bytes()[:0])
    assert download.get(small_file) == path and not asked
    path.write_bytes(b"broken")
    with pytest.raises(download.DownloadFailed, match="another hash"):
        download.get(small_file)
    assert asked == [1]
    monkeypatch.undo()


def test_a_broken_file_is_replaced(small_file, torch_home):
    download.get(small_file).write_bytes(b"broken")
    download.get(small_file)
    assert small_file.read() and left_over(torch_home) == [small_file.file]


def test_another_place_is_asked_when_the_first_fails(small_file, torch_home, serve):
    one, two = f"{serve()}/nothing-there", f"{serve(Short)}/short"
    assert download.get(replace(small_file, urls=(one, two, *small_file.urls))).is_file()
    small_file.path.unlink()
    with pytest.raises(download.DownloadFailed) as caught:
        download.get(replace(small_file, urls=(one, two)))
    assert "404" in str(caught.value) and "10 of 1,000 bytes" in str(caught.value)
    assert not left_over(torch_home)


def test_a_wrong_file_never_takes_its_place(tmp_path, small_file, torch_home):
    (tmp_path / "www" / small_file.file).write_bytes(b"an error page")
    with pytest.raises(download.DownloadFailed, match="another hash"):
        download.get(small_file)
    assert not left_over(torch_home)
    for file in (weights.NIQE, weights.BRISQUE):  # no hash in their names: what do they hold?
        (tmp_path / "www" / file.file).write_bytes(b"an error page")
        with pytest.raises(download.DownloadFailed, match=file.file):
            download.get(file, mirror=small_file.urls[0].rpartition("/")[0])
    assert not left_over(torch_home)


def test_a_server_that_says_nothing_does_not_hold_us(small_file, torch_home, serve):
    began = time.perf_counter()
    with pytest.raises(download.DownloadFailed, match="timed out"):
        download.get(small_file, mirror=serve(Silent), timeout=0.2)
    assert time.perf_counter() - began < 5


def test_a_classroom_has_its_own_mirror(tmp_path, torch_home, small_file, serve, capsys):
    mirror = serve()
    elsewhere = replace(small_file, urls=("http://127.0.0.1:9/nobody",))
    weights.FILES["cnn-iqa"] = elsewhere  # small_file puts the old one back
    assert main(["weights", "get", "cnn-iqa", "--mirror", f"{mirror}/"]) == 0
    small_file.path.unlink()
    address = mirror.removeprefix("http://")  # as people type it
    assert main(["weights", "get", "cnn-iqa", "--mirror", address]) == 0
    assert small_file.path.is_file()


def test_without_a_network_there_is_one_short_line(torch_home, monkeypatch, capsys):
    def nobody(*_, **__):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", nobody)
    for name in weights.FILES:
        assert main(["weights", "get", name]) == 1
        error = capsys.readouterr().err
        assert error.count("\n") == 1 and len(error) < 250
        assert weights.FILES[name].file in error and "Name or service not known" in error
    assert not left_over(torch_home)


@pytest.mark.parametrize("names", [[], ["inceptoin"], ["all", "x"]])
def test_weights_that_nobody_knows(names, torch_home, offline, capsys):
    assert main(["weights", "get", *names]) == 1
    error = capsys.readouterr().err
    assert "inception, cnn-iqa, niqe, brisque, or all" in error and error.count("\n") == 1


def test_the_addresses_are_of_the_files():
    assert [file.name for file in weights.named(["all"])] == list(weights.FILES)
    for file in ALL:
        assert len(file.urls) == 2 and file.licence
        for url in file.urls:
            assert url.startswith("https://")
            assert url.rpartition("/")[2] in (file.file, *file.also)
