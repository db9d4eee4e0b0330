import { useState } from 'react';
import { createRoot } from 'react-dom/client';
import { create } from 'zustand';
import { persist } from 'zustand/middleware';

async function send(method, path, body) {
  const response = await fetch(path, {
    method,
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  });
  return response.json();
}

const useAuth = create(persist((set) => ({
  user: null,
  token: null,
  signIn: async (email, password) => set(await send('POST', '/api/login', { email, password })),
}), { name: 'auth-storage' }));

const useTrading = create(persist((set, get) => ({
  result: 'Signed in',
  currentEquity: 10250.5,
  pay: async (transactionId, card) => {
    await send('POST', '/api/payments', {
      plan: { name: 'Pro', price: 199.99 }, discount: 20, amount: 179.99, coupon: 'SAVE10',
      method: 'card', transactionId, card,
    });
    set({ result: 'Payment saved' });
  },
  saveDashboard: async () => {
    await send('PUT', '/api/dashboard', {
      currentEquity: get().currentEquity, totalPnl: 250.5, winRate: 62.5, totalTrades: 8,
    });
    set({ result: 'Dashboard saved' });
  },
}), { name: 'trading-storage', partialize: ({ currentEquity }) => ({ currentEquity }) }));

function SignIn() {
  const signIn = useAuth((state) => state.signIn);
  const submit = (event) => {
    event.preventDefault();
    signIn(event.target.email.value, event.target.password.value);
  };
  return (
    <form onSubmit={submit}>
      <input type="email" name="email" />
      <input type="password" name="password" />
      <button id="sign-in">Sign in</button>
    </form>
  );
}

function Dashboard() {
  const { result, pay, saveDashboard } = useTrading();
  const [fields, setFields] = useState({ number: '', cvc: '', reference: '' });
  const change = ({ target: { name, value } }) => setFields({ ...fields, [name]: value });
  const { reference, ...card } = fields;
  return (
    <main>
      <input name="number" autoComplete="cc-number" value={card.number} onChange={change} />
      <input name="cvc" autoComplete="cc-csc" value={card.cvc} onChange={change} />
      <input name="reference" id="reference" value={reference} onChange={change} />
      <button id="pay" onClick={() => pay(reference, card)}>Pay</button>
      <button id="save" onClick={saveDashboard}>Save</button>
      <p>{result}</p>
    </main>
  );
}

function Page() {
  return useAuth((state) => state.user) ? <Dashboard /> : <SignIn />;
}

createRoot(document.querySelector('#root')).render(<Page />);
