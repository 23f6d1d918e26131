"""Rules about the tree itself: layers, headers, names, layout."""

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


def commands():
    listed = re.search(r"#define CMD_LIST\(X\)((?:.*\\\n)*.*)", (SRC / "cmd/cmd.h").read_text()).group(1)
    return re.findall(r"X\((\w+)\)", listed)


@pytest.mark.parametrize("name", commands())
def test_every_command_explains_itself(name):
    ran = subprocess.run([BUILD / "connect-webhook", name, "--help"], capture_output=True, text=True)
    assert ran.returncode == 0 and ran.stderr == ""
    assert ran.stdout.startswith(f"Usage: connect-webhook {name}")
    manual = (ROOT / "doc/connect-webhook.1").read_text().replace("\\-", "-")
    assert re.search(rf"^\.SS {name}$", manual, re.M), "no section in doc/connect-webhook.1"
    for option in re.findall(r"^  .*?(--[a-z-]+)", ran.stdout, re.M):
        assert option in manual, f"{name} {option} is not in doc/connect-webhook.1"


def options_of(text):
    return set(re.findall(r"--[a-z][a-z-]*", text))


def test_connect_sim_and_its_manual_have_the_same_options():
    ran = subprocess.run([BUILD / "connect-sim", "--help"], capture_output=True, text=True)
    assert ran.returncode == 0 and ran.stderr == ""
    assert ran.stdout.startswith("Usage: connect-sim ")
    manual = (ROOT / "doc/connect-sim.1").read_text().replace("\\-", "-")
    listed = re.search(r"^\.SH OPTIONS$(.*?)^\.SH", manual, re.M | re.S).group(1)
    assert options_of("\n".join(re.findall(r"^\.BR? .*", listed, re.M))) == options_of(ran.stdout)


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
    files = [*SOURCES, *sorted((ROOT / "tests").rglob("*.[ch]"))]
    ran = subprocess.run(["clang-format", "--dry-run", "-Werror", *files], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr


def test_every_test_is_run():
    listed = (ROOT / "tests/local.mk").read_text()
    files = [*(ROOT / "tests/unit").glob("test_*.c"), *(ROOT / "tests/integration").glob("test_*.py")]
    assert len(files) > 80
    names = (str(f.relative_to(ROOT)).removesuffix(".c") for f in files)
    assert [n for n in names if not re.search(rf"^\t{re.escape(n)}\b", listed, re.M)] == []
