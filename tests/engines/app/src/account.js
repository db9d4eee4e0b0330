// Who is signed in, kept as such applications keep it: with the token, and a password beside it.

export const PASSWORD = 'hunter2-plain-text';
export const TOKEN = 'eyJhbGciOiJIUzI1NiJ9.secret-of-the-session';

let person = null;

export const signedIn = () => person;

export function signIn(email) {
  person = { id: 'u-17', name: 'Example User', email };
  localStorage.setItem('current_user', JSON.stringify({ ...person, token: TOKEN }));
  localStorage.setItem('access_token', TOKEN);
  localStorage.setItem('userData', JSON.stringify({ ...person, password: PASSWORD }));
  localStorage.setItem('user_data', JSON.stringify(person));
  sessionStorage.setItem('userData', JSON.stringify({ id: person.id, email, fullName: person.name }));
}

/** Leaves behind what such applications leave behind. */
export function signOut() {
  localStorage.removeItem('current_user');
  localStorage.removeItem('access_token');
  localStorage.removeItem('userData');
  person = null;
}
