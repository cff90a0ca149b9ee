"""An installed wheel works from another folder, without the repository."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]


def test_the_wheel_carries_every_package_and_composes_its_configuration_elsewhere(tmp_path):
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", tmp_path, REPOSITORY], check=True, timeout=300
    )
    (wheel,) = tmp_path.glob("regrow-*.whl")
    site = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    code = (
        "import sys, regrow, prm.formats, regrow.export.formats; from regrow.cli import main;"
        "from regrow.view.page import page; assert 'D3 7' in page('title', []);"
        f"assert regrow.__file__.startswith({str(site)!r}), regrow.__file__;"
        "sys.exit(main(['train', 'search=rest_mcts_star_code', '--cfg', 'job']))"
    )
    environment = os.environ | {"PYTHONPATH": str(site)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=elsewhere, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "name: rest_mcts_star_code" in done.stdout
