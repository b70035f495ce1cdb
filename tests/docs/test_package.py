"""What is built is what is meant to be shipped, and nothing runs at install time."""

import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_wheel_holds_the_package_alone(tmp_path: Path) -> None:
    """The wheel has every file of the package, its own metadata, and no `.pth`, test or recording."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert 0 == done.returncode, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    shipped = {name for name in names if ".dist-info/" not in name}
    source = ROOT / "src"
    ours = {path.relative_to(source).as_posix() for path in (source / "clearway").rglob("*") if path.is_file()}
    assert {name for name in ours if "__pycache__" not in name} == shipped
    assert "clearway/pricing/prices.json" in shipped
    assert not [name for name in names if name.endswith(".pth")]
    metadata = {name.partition(".dist-info/")[2] for name in names} - {""}
    assert {"METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE"} == metadata
