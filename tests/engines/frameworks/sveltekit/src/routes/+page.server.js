import { redirect } from '@sveltejs/kit';

export const actions = {
  default: async ({ request, cookies }) => {
    const form = await request.formData();
    cookies.set('svelte_session', form.get('email'), { path: '/', secure: false });
    redirect(303, '/checkout');
  },
};
