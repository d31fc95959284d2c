"""Whom bench_train.py measures beside hz. A contestant is built once, is measured once a round by round() -> images
per second, and ends by close(). PEERS names the programs: each row makes the contestants of one dtype and
pass, or raises Missing."""
import json, os, shutil, subprocess, sys, tempfile
from common import ROOT, layers, make_torch, rate

HERE = os.path.join(ROOT, "test", "peers")


class Missing(Exception):
    """The program is not on this machine; the message says what is needed."""


class Torch:
    """One mode of PyTorch, in this process."""

    def __init__(self, o, dtype, which, layout, mode):
        import torch
        self.o, self.torch, self.train, self.bf16 = o, torch, which == "train", dtype == "bf16"
        form = torch.channels_last if layout == "channels_last" else torch.contiguous_format
        torch.set_num_threads(o.threads)
        torch.manual_seed(0)
        net = make_torch(o.net).to(memory_format=form)
        net.train(self.train)
        if mode == "freeze":
            with torch.inference_mode(), self.autocast():
                x = torch.randn(o.batch, 3, 32, 32).contiguous(memory_format=form)
                self.call = torch.jit.freeze(torch.jit.trace(net, x))
        else:
            self.call = torch.compile(net) if mode == "compile" else net
        self.optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9, nesterov=True) if self.train else None
        self.x = torch.randn(o.batch, 3, 32, 32).contiguous(memory_format=form)
        self.y = torch.randint(0, 10, (o.batch,))
        self.title = f"PyTorch {torch.__version__}, {torch.backends.cpu.get_cpu_capability()}"
        for _ in range(3):
            self.step()

    def autocast(self):
        return self.torch.autocast("cpu", dtype=self.torch.bfloat16, enabled=self.bf16)

    def step(self):
        if not self.train:
            with self.torch.inference_mode(), self.autocast():
                self.call(self.x)
            return
        with self.autocast():
            loss = self.torch.nn.functional.cross_entropy(self.call(self.x).float(), self.y)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()

    def round(self):
        return rate(self.step, self.o.batch, self.o.seconds)

    def close(self):
        pass


class Child:
    """A contestant in a process of its own, which says its title and then answers "round" (serve in common.py)."""

    def __init__(self, command, **environment):
        self.errors = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen([str(a) for a in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=self.errors, text=True, env=os.environ | environment)
        self.title = self.answer()["title"]

    def answer(self):
        line = self.process.stdout.readline()
        if line:
            return json.loads(line)
        self.process.wait()
        self.errors.seek(0)
        said = self.errors.read().strip().splitlines() or ["said nothing"]
        raise RuntimeError(f"ended with status {self.process.returncode}: {said[-1]}")

    def round(self):
        self.process.stdin.write("round\n")
        self.process.stdin.flush()
        return self.answer()["images_per_second"]

    def close(self):
        self.process.stdin.close()                  # it leaves at the end of its input
        self.process.stdout.close()
        self.process.wait()
        self.errors.close()


def torch_peer(o, dtype, which):
    try:
        import torch
    except ImportError as e:
        raise Missing("needs PyTorch in the Python that runs this script (HZ_TORCH_PYTHON)") from e
    modes = [("eager", "nchw"), ("eager", "channels_last")]
    if o.compile:
        modes += [("compile", "channels_last")]
    if which == "infer":
        modes += [("freeze", "channels_last")]
    return {f"torch {mode} {layout}": lambda mode=mode, layout=layout: Torch(o, dtype, which, layout, mode)
            for mode, layout in modes}


def compile_onednn(folder):
    """Path of the program, compiled once a run into `folder`."""
    program = os.path.join(folder, "onednn")
    if os.path.exists(program):
        return program
    compiler = shutil.which(os.environ.get("CXX", "g++"))
    if not compiler:
        raise Missing("needs g++ (apt-get install g++)")
    r = subprocess.run([compiler, "-std=c++17", "-O2", os.path.join(HERE, "onednn.cpp"), "-ldnnl", "-o", program],
                       capture_output=True, text=True)
    if r.returncode:
        said = [line for line in r.stderr.splitlines() if "error" in line or "cannot find" in line]
        said = said or ["the compiler failed"]
        raise Missing(f"needs oneDNN (apt-get install libdnnl-dev): {said[0]}")
    return program


def onednn_peer(o, dtype, which):
    program = compile_onednn(o.folder)
    shapes = [",".join(map(str, (l.inputs, l.outputs, l.side, l.kernel, l.stride, l.before, l.after, l.act)))
              for l in layers(o.net) if l.kind == "conv"]
    algorithms = ["direct"] + (["auto"] if dtype == "f32" else [])  # auto may choose Winograd, which exists in f32 only
    return {f"{CONVOLUTIONS} {a}": lambda a=a: Child([program, dtype, which, a, o.batch, o.seconds, *shapes],
                                                     OMP_NUM_THREADS=str(o.threads)) for a in algorithms}


CONVOLUTIONS = "onednn convolutions"        # not a whole step, so never "the best peer"


def python_of(variable):
    python = os.environ.get(variable)
    if not python or not shutil.which(python):
        raise Missing(f"{variable} is '{python or ''}'; needs a Python that has it (see test/peers/README.md)")
    return python


def tensorflow_peer(o, dtype, which):
    command = [python_of("HZ_TF_PYTHON"), os.path.join(HERE, "tf_step.py"), o.net, dtype, which]
    modes = ["graph"] + (["xla"] if o.compile else [])
    return {f"tensorflow {m}": lambda m=m: Child([*command, m, o.batch, o.threads, o.seconds]) for m in modes}


def openvino_peer(o, dtype, which):
    if which == "train":
        return {}                               # it has no training
    command = [python_of("HZ_OPENVINO_PYTHON"), os.path.join(HERE, "openvino_step.py"), o.net, dtype]
    return {"openvino": lambda: Child([*command, o.batch, o.threads, o.seconds])}


PEERS = {"torch": torch_peer, "onednn": onednn_peer, "tensorflow": tensorflow_peer, "openvino": openvino_peer}


def make_contestants(o, dtype, which):
    """name -> contestant. What this machine does not have, or cannot do in this dtype, is named, not hidden."""
    made = {}
    for peer in o.peers:
        try:
            offers = PEERS[peer](o, dtype, which)
        except Missing as e:
            print(f"{peer} is left out: {e}", file=sys.stderr)
            continue
        for name, make in offers.items():
            try:
                made[name] = make()
            except Exception as e:
                complain(name, dtype, which, e)
    return made


def complain(name, dtype, which, e):
    lines = str(e).splitlines() or [""]
    print(f"{name} {dtype} {which} is left out: {type(e).__name__}: {lines[0][:200]}", file=sys.stderr)
