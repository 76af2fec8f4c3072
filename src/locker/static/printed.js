// What a printed code says stands in the address after #, which no server is sent: it goes from here into the form.
const printed = location.hash.slice(1);
if (printed) {
  history.replaceState(null, "", location.pathname);
  document.getElementById("text").value = printed;
  document.getElementById("printed-check").submit();
}
