// Shows the values under the pointer in each chart.
for (const chart of document.querySelectorAll('.chart')) {
  const { end, series } = JSON.parse(chart.querySelector('script').textContent);
  const area = chart.querySelector('.area');
  const cursor = chart.querySelector('.cursor');
  const label = cursor.appendChild(document.createElement('span'));
  const nearest = (xs, x) =>
    xs.reduce((best, candidate, i) => (Math.abs(xs[best] - x) > Math.abs(candidate - x) ? i : best), 0);

  const show = event => {
    const box = area.getBoundingClientRect();
    const share = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
    const filled = series.filter(line => line.x.length);
    if (!filled.length) return;
    const at = filled[0].x[nearest(filled[0].x, share * end)];
    const lines = filled.map(line => {
      const i = nearest(line.x, share * end);
      const elsewhere = line.x[i] === at ? '' : ' at ' + line.x[i].toLocaleString('en');
      return line.name + ' ' + Number(line.y[i].toPrecision(4)).toLocaleString('en', { maximumSignificantDigits: 4 }) + elsewhere;
    });
    label.textContent = ['step ' + at.toLocaleString('en'), ...lines].join('\n');
    cursor.style.left = (100 * at) / end + '%';
    cursor.classList.toggle('left', share > 0.5);
    cursor.hidden = false;
  };
  area.addEventListener('pointermove', show);
  area.addEventListener('pointerdown', show);
  area.addEventListener('pointerleave', () => { cursor.hidden = true; });
}
