'use server';

import { cookies } from 'next/headers';
import { redirect } from 'next/navigation';

/** Keeps the session in a cookie that scripts can't read, and the profile in one that they can. */
export async function signIn(form) {
  const email = form.get('email');
  const jar = await cookies();
  jar.set('session', 'secret-of-the-session', { httpOnly: true });
  jar.set('profile', JSON.stringify({ id: 7, name: 'Example User', email }));
  redirect('/checkout');
}

export async function applyCoupon(code) {
  return { code, discount: 20 };
}

/** Shows what is missing, or the next page. */
export async function pay(_previous, form) {
  if (!form.get('transactionId')) return { message: 'Transaction number is missing' };
  return redirect('/questionnaire');
}

export async function saveAnswers(_userId, answers, _draft) {
  return { message: `Answers saved: ${answers.cryptoAssets.join(', ')}` };
}
