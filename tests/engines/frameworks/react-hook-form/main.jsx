import { useState } from 'react';
import { createRoot } from 'react-dom/client';
import { useForm } from 'react-hook-form';

async function post(path, body) {
  const response = await fetch(path, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  });
  return response.json();
}

function SignIn({ onDone }) {
  const { register, handleSubmit } = useForm();
  const signIn = async (values) => {
    localStorage.setItem('auth', JSON.stringify(await post('/api/login', values)));
    onDone('Signed in');
  };
  return (
    <form onSubmit={handleSubmit(signIn)}>
      <input type="email" {...register('email', { required: true })} />
      <input type="password" {...register('password', { required: true })} />
      <button id="sign-in">Sign in</button>
    </form>
  );
}

function Checkout({ onDone }) {
  const { register, handleSubmit, formState: { errors } } = useForm({
    defaultValues: {
      planName: 'Pro', originalPrice: 199.99, discountAmount: 20, finalPrice: 179.99,
      couponCode: 'SAVE10', paymentMethod: 'card',
    },
  });
  const pay = async (values) => {
    await post('/api/checkout', values);
    onDone('Payment saved');
  };
  return (
    <form className="payment-form" onSubmit={handleSubmit(pay)}>
      <input type="hidden" {...register('planName')} />
      <input {...register('couponCode')} />
      <select {...register('paymentMethod')}>
        <option>card</option>
        <option>crypto</option>
      </select>
      <input autoComplete="cc-number" {...register('card.number')} />
      <input autoComplete="cc-csc" {...register('card.cvc')} />
      <input id="reference" {...register('transactionId', { required: true })} />
      {errors.transactionId && <p>Transaction number is missing</p>}
      <button id="pay">Pay</button>
    </form>
  );
}

function Questionnaire({ onDone }) {
  const { register, handleSubmit } = useForm({
    defaultValues: {
      tradesPerDay: '3-5', cryptoAssets: ['BTC', 'ETH'], accountSize: 50000, riskPercentage: 1.5,
    },
  });
  const save = async (values) => {
    await post('/api/questionnaires', values);
    onDone('Answers saved');
  };
  return (
    <form onSubmit={handleSubmit(save)}>
      <select {...register('tradesPerDay')}><option>1-2</option><option>3-5</option></select>
      {['BTC', 'ETH', 'SOL'].map((asset) => (
        <input key={asset} type="checkbox" value={asset} {...register('cryptoAssets')} />
      ))}
      <input type="number" {...register('accountSize', { valueAsNumber: true })} />
      <input type="number" step="0.1" {...register('riskPercentage', { valueAsNumber: true })} />
      <button id="save">Send</button>
    </form>
  );
}

function Page() {
  const [result, setResult] = useState('');
  const Form = { '': SignIn, 'Signed in': Checkout }[result] ?? Questionnaire;
  return (
    <>
      <Form onDone={setResult} />
      <p>{result}</p>
    </>
  );
}

createRoot(document.querySelector('#root')).render(<Page />);
