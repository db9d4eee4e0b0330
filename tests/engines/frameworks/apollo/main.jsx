import { ApolloClient, gql, HttpLink, InMemoryCache } from '@apollo/client';
import { SetContextLink } from '@apollo/client/link/context';
import { ApolloProvider, useMutation, useQuery } from '@apollo/client/react';
import { useState } from 'react';
import { createRoot } from 'react-dom/client';

const SIGN_IN = gql`mutation SignIn($email: String!, $password: String!) {
  signIn(email: $email, password: $password)
}`;
const PAYMENTS = gql`query Payments { payments { id } }`;
const CREATE_PAYMENT = gql`mutation CreatePayment($input: PaymentInput!) {
  createPayment(input: $input) { id }
}`;
const SAVE_DASHBOARD = gql`mutation SaveDashboard($input: DashboardInput!) {
  saveDashboard(input: $input) { id }
}`;

const addToken = new SetContextLink(({ headers }) => {
  const token = localStorage.getItem('token');
  return { headers: { ...headers, ...(token && { authorization: `Bearer ${token}` }) } };
});
const client = new ApolloClient({
  link: addToken.concat(new HttpLink({ uri: '/graphql' })), cache: new InMemoryCache(),
});

function SignIn({ onDone }) {
  const [signIn] = useMutation(SIGN_IN);
  const submit = async (event) => {
    event.preventDefault();
    const { email, password } = event.target;
    const { data } = await signIn({
      variables: { email: email.value, password: password.value },
    });
    localStorage.setItem('token', data.signIn);
    onDone();
  };
  return (
    <form onSubmit={submit}>
      <input type="email" name="email" />
      <input type="password" name="password" />
      <button id="sign-in">Sign in</button>
    </form>
  );
}

function Checkout() {
  const { data } = useQuery(PAYMENTS);
  const [createPayment, { data: payment }] = useMutation(CREATE_PAYMENT, {
    refetchQueries: [PAYMENTS], awaitRefetchQueries: true,
  });
  const [saveDashboard, { data: dashboard }] = useMutation(SAVE_DASHBOARD);
  const pay = (event) => {
    event.preventDefault();
    const { number, cvc, reference } = event.target;
    createPayment({ variables: { input: {
      planName: 'Pro', originalPrice: 199.99, discountAmount: 20, finalPrice: 179.99,
      couponCode: 'SAVE10', paymentMethod: 'card', transactionId: reference.value,
      card: { number: number.value, cvc: cvc.value },
    } } });
  };
  const save = () => saveDashboard({ variables: { input: {
    currentEquity: 10250.5, totalPnl: 250.5, winRate: 62.5, totalTrades: 8,
  } } });
  return (
    <form onSubmit={pay}>
      <input name="number" autoComplete="cc-number" />
      <input name="cvc" autoComplete="cc-csc" />
      <input name="reference" id="reference" />
      <button id="pay">Pay</button>
      <button type="button" id="save" onClick={save}>Save</button>
      <p>{data ? `Signed in, ${data.payments.length} payments` : 'Loading'}</p>
      {payment && <p>Payment saved</p>}
      {dashboard && <p>Dashboard saved</p>}
    </form>
  );
}

function Page() {
  const [isSignedIn, setSignedIn] = useState(false);
  return isSignedIn ? <Checkout /> : <SignIn onDone={() => setSignedIn(true)} />;
}

createRoot(document.querySelector('#root')).render(
  <ApolloProvider client={client}><Page /></ApolloProvider>,
);
