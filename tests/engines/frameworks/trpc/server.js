import { initTRPC } from '@trpc/server';
import { createHTTPHandler } from '@trpc/server/adapters/standalone';
import { userOf } from '../http.mjs';

const { procedure, router } = initTRPC.create();
const accepted = procedure.input((value) => value);

const appRouter = router({
  session: router({ signIn: accepted.mutation(({ input }) => userOf(input.email)) }),
  payment: router({
    list: procedure.query(() => [{ id: 1 }]),
    create: accepted.mutation(() => ({ id: 1 })),
  }),
  dashboard: router({ save: accepted.mutation(() => ({ id: 1 })) }),
});

export const respond = createHTTPHandler({ router: appRouter, basePath: '/trpc/' });
