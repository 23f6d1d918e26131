"""Rules about the tree itself: layers, headers, names, layout."""

import importlib
import os
import pathlib
import re
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("CW_BUILD", os.getcwd()))
SRC = ROOT / "src"

# A folder includes its own headers and those of lower layers: peers do not know each other.
LAYER = {"base": 0, "event": 1, "transport": 1, "conf": 2, "auth": 3, "inbox": 3, "api": 3, "policy": 3,
         "processors": 4, "tasks": 5, "web": 6, "cmd": 7, "sim": 7, "spawner": 7}
TOP = 7  # the programs: they may include all that is below them

SOURCES = sorted(SRC.rglob("*.[ch]"))
HEADERS = [f for f in SOURCES if f.suffix == ".h"]


def name_of(path):
    return str(path.relative_to(ROOT))


def may_include(folder, other):
    return folder == other or LAYER[other] < LAYER[folder] or LAYER[folder] == TOP


def test_every_folder_has_a_layer():
    assert {f.relative_to(SRC).parts[0] for f in SOURCES} <= set(LAYER)


def test_the_rule_of_layers_knows_what_it_forbids():
    assert not may_include("base", "event") and not may_include("api", "policy")
    assert may_include("web", "base") and may_include("api", "api")


def test_layers_are_kept():
    wrong = []
    for source in SOURCES:
        for included in re.findall(r'^\s*#\s*include\s+"([^"]+)"', source.read_text(), re.M):
            folder = source.relative_to(SRC).parts[0]
            other = included.split("/")[0]
            if not (SRC / included).exists():
                wrong.append(f'{name_of(source)}: "{included}" is not named from src/ on')
            elif not may_include(folder, other):
                wrong.append(f'{name_of(source)}: "{included}" is not below it')
    assert wrong == []


def test_what_is_particular_to_a_class_stands_in_its_descriptor():
    """Rooms that serve all classes name none of them."""
    name = re.compile(r"\bclass_\w+_(?:request|file)\b")
    rooms = [f for f in SOURCES if f.relative_to(SRC).parts[0] in
             ("api", "conf", "inbox", "policy", "processors", "tasks", "web")]
    assert len(rooms) > 50
    assert [name_of(f) for f in rooms if name.search(f.read_text())] == []


def test_headers_stand_by_themselves():
    compiler = os.environ["CW_COMPILE"].split()
    wrong = []
    for header in HEADERS:
        ran = subprocess.run([*compiler, "-fsyntax-only", "-x", "c", "-"], input=f'#include "{header}"\n',
                             capture_output=True, text=True, cwd=BUILD)
        if ran.returncode != 0:
            wrong.append(ran.stderr)
    assert wrong == []


def test_every_error_has_a_name_of_its_own():
    errors = re.findall(r'X\((ERR_\w+|OK|\w+),\s*"([^"]+)"', (SRC / "base/err.h").read_text())
    assert len(errors) > 10
    for names in zip(*errors):
        assert len(set(names)) == len(names)


def test_nothing_is_left_for_later():
    words = re.compile(r"\b(TO" "DO|FIX" "ME|XX" "X|HA" "CK)\\b")
    wrong = [f"{name_of(f)}: {line.strip()}" for top in ("src", "tests", "contrib", "doc")
             for f in sorted((ROOT / top).rglob("*")) if f.suffix in (".c", ".h", ".py", ".sh", ".mk")
             for line in f.read_text().splitlines() if words.search(line)]
    assert wrong == []


def test_the_layout_is_clang_formats():
    if shutil.which("clang-format") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("clang-format is not installed")
        pytest.skip("clang-format is not installed")
    ours, = re.findall(r'"(clang-format \d+)"', (ROOT / "dev.mk").read_text())
    here = subprocess.run(["clang-format", "--version"], capture_output=True, text=True).stdout.strip()
    if f"{ours.replace(' ', ' version ')}." not in here:
        pytest.skip(f"{ours} decides the layout, and this is another: {here}")
    files = [*SOURCES, *sorted((ROOT / "tests").rglob("*.[ch]"))]
    ran = subprocess.run(["clang-format", "--dry-run", "-Werror", *files], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr


def test_every_test_is_run():
    listed = (ROOT / "tests/local.mk").read_text()
    files = [*(ROOT / "tests/unit").glob("test_*.c"), *(ROOT / "tests/integration").glob("test_*.py")]
    assert len(files) > 80
    names = (str(f.relative_to(ROOT)).removesuffix(".c") for f in files)
    assert [n for n in names if not re.search(rf"^\t{re.escape(n)}\b", listed, re.M)] == []


def test_no_configuration_of_a_test_names_a_file_of_the_clone(tmp_path, monkeypatch):
    """Another user may have to read it, who cannot enter a clone in a folder of root's."""
    monkeypatch.syspath_prepend(ROOT / "tests/integration")
    calls = importlib.import_module("calls")
    conf = calls.Configuration(tmp_path)
    conf.save()
    conf.webhook(calls.WEBHOOK)["policy"] = {"rules": str(ROOT / "contrib/rules/form.rules.yaml")}
    with pytest.raises(AssertionError, match="copy what a configuration names"):
        conf.save()
