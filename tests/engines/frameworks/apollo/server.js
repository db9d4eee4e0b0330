import { ApolloServer, HeaderMap } from '@apollo/server';
import { bearerOf, readJson, tokenFor } from '../http.mjs';

const typeDefs = `
  type Saved { id: ID! }
  input CardInput { number: String, cvc: String }
  input PaymentInput {
    planName: String!, originalPrice: Float, discountAmount: Float, finalPrice: Float!,
    couponCode: String, paymentMethod: String, transactionId: String!, card: CardInput
  }
  input DashboardInput {
    currentEquity: Float!, totalPnl: Float, winRate: Float, totalTrades: Int
  }
  type Query { payments: [Saved!]! }
  type Mutation {
    signIn(email: String!, password: String!): String!
    createPayment(input: PaymentInput!): Saved!
    saveDashboard(input: DashboardInput!): Saved!
  }`;

const payments = new Map(); // of each user, by address

const resolvers = {
  Query: { payments: (_parent, _args, { user }) => payments.get(user) ?? [] },
  Mutation: {
    signIn: (_parent, { email }) => {
      payments.delete(email);
      return tokenFor(email);
    },
    createPayment: (_parent, _args, { user }) => {
      const list = payments.get(user) ?? [];
      payments.set(user, [...list, { id: list.length + 1 }]);
      return payments.get(user).at(-1);
    },
    saveDashboard: () => ({ id: 1 }),
  },
};

const server = new ApolloServer({ typeDefs, resolvers });
await server.start();

export async function respond(request, response, pathname) {
  if (pathname !== '/graphql') return response.writeHead(404).end();
  const headers = new HeaderMap();
  for (const [name, value] of Object.entries(request.headers)) headers.set(name, String(value));
  const result = await server.executeHTTPGraphQLRequest({
    httpGraphQLRequest: {
      method: 'POST', headers, search: '', body: await readJson(request),
    },
    context: async () => ({ user: bearerOf(request) }),
  });
  return response.writeHead(result.status ?? 200, Object.fromEntries(result.headers))
    .end(result.body.string);
}
