'use client';

import { useState } from 'react';
import { saveAnswers } from '../actions';

const answers = {
  tradesPerDay: '3-5', cryptoAssets: ['BTC', 'ETH'], accountSize: 50000, riskPercentage: 1.5,
};

export default function Page() {
  const [message, setMessage] = useState('');
  const save = async () => setMessage((await saveAnswers('user_7', answers, undefined)).message);
  return (
    <>
      <p>Payment saved</p>
      <button id="save" onClick={save}>Send</button>
      <p>{message}</p>
    </>
  );
}
