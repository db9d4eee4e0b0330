import { fail, redirect } from '@sveltejs/kit';

export const actions = {
  pay: async ({ request }) => {
    const form = await request.formData();
    if (!form.get('transaction_id')) return fail(400, { message: 'Transaction number is missing' });
    return redirect(303, '/questionnaire');
  },
};
