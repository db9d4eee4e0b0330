// Keeps the signed-in user as many applications do: with the token and a password in storage.

export const PASSWORD = 'hunter2-plain-text';
export const TOKEN = 'eyJhbGciOiJIUzI1NiJ9.secret-of-the-session';

let user = null;

export const signedInUser = () => user;

export function signIn(email) {
  user = { id: 'u-17', name: 'Example User', email };
  localStorage.setItem('current_user', JSON.stringify({ ...user, token: TOKEN }));
  localStorage.setItem('access_token', TOKEN);
  localStorage.setItem('userData', JSON.stringify({ ...user, password: PASSWORD }));
  localStorage.setItem('user_data', JSON.stringify(user));
  sessionStorage.setItem('userData', JSON.stringify({ id: user.id, email, fullName: user.name }));
}

/** Leaves `user_data` and the session behind, as many applications do. */
export function signOut() {
  localStorage.removeItem('current_user');
  localStorage.removeItem('access_token');
  localStorage.removeItem('userData');
  user = null;
}
