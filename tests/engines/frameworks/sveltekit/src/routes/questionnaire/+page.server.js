export const actions = {
  default: async ({ request }) => {
    const form = await request.formData();
    return { message: `Answers saved: ${form.getAll('crypto_assets').join(', ')}` };
  },
};
