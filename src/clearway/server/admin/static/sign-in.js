// Signs in with the one-time link behind `#`, or with the password.

const says = document.getElementById('says');
const form = document.getElementById('form');
const password = document.getElementById('password');

/** @param {{ link?: string, password?: string }} shown */
async function signIn(shown) {
  const answer = await fetch('/admin/api/session', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(shown),
  });
  if (answer.ok) {
    says.textContent = 'Signed in.';
    form.hidden = true;
    location.replace('/');
    return;
  }
  const refusal = await answer.json();
  says.textContent = `${refusal.error.message}. ${refusal.error.hint}`;
  password.value = '';
}

async function tryTo(shown) {
  try {
    await signIn(shown);
  } catch {
    says.textContent = 'The gateway does not answer.';
  }
}

form.addEventListener('submit', (event) => {
  event.preventDefault();
  tryTo({ password: password.value });
});

const link = location.hash.slice(1);
if (link) {
  // Gone from the address and the history before it is used.
  history.replaceState(null, '', location.pathname);
  tryTo({ link });
}
