import $ from 'jquery';

$('#login').on('submit', (event) => {
  event.preventDefault();
  $.post('/api/login', $('#login').serialize()).then(({ user, token }) => {
    localStorage.setItem('user', JSON.stringify({ ...user, token }));
    $.getJSON('/api/payments').then((payments) => {
      $('#result').text(`Signed in, ${payments.length} payments`);
      $('#login').hide();
      $('#payment-form').show();
    });
  });
});

$('#payment-form').on('submit', function (event) {
  event.preventDefault();
  $.ajax({ url: '/api/payments', method: 'POST', data: $(this).serialize() }).done(() => {
    $('#result').text('Payment saved');
    $('#answers').show();
  });
});

$('#answers').on('submit', (event) => {
  event.preventDefault();
  const value = (name) => $(`[name=${name}]`).val();
  $.ajax({
    url: '/api/questionnaire',
    method: 'POST',
    contentType: 'application/json',
    data: JSON.stringify({
      trades_per_day: value('trades_per_day'),
      crypto_assets: $('[name=crypto_assets]:checked').get().map((box) => box.value),
      account_size: value('account_size'),
      risk_percentage: value('risk_percentage'),
    }),
  }).done(() => $('#result').text('Answers saved'));
});
