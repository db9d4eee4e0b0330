import { signIn } from './actions';

export default function Page() {
  return (
    <form action={signIn}>
      <input type="email" name="email" />
      <input type="password" name="password" />
      <button id="sign-in">Sign in</button>
    </form>
  );
}
