// Shows how far a file is on its way. Without this, the form works as any form does.
(function () {
  var form = document.getElementById("upload-form");
  if (!form || !window.FormData || !window.XMLHttpRequest || !window.DOMParser) return;
  form.addEventListener("submit", function (event) {
    event.preventDefault();
    var request = new XMLHttpRequest();
    var place = document.getElementById("upload-progress");
    var meter = document.getElementById("upload-meter");
    var button = document.getElementById("upload-submit");
    function byItself() {
      button.disabled = false;
      form.submit();
    }
    request.open("POST", form.action);
    request.setRequestHeader("Accept", "text/html");
    request.upload.onprogress = function (step) {
      if (step.lengthComputable) meter.value = (100 * step.loaded) / step.total;
    };
    request.onload = function () {
      if (request.status === 200 && request.responseURL && request.responseURL !== form.action) {
        location.assign(request.responseURL);
        return;
      }
      var shown = new DOMParser().parseFromString(request.responseText, "text/html");
      var main = shown.querySelector("main");
      if (!main) {
        byItself();
        return;
      }
      document.title = shown.title;
      document.querySelector("main").innerHTML = main.innerHTML;
      var summary = document.getElementById("error-summary");
      if (summary) summary.focus();
    };
    request.onerror = byItself;
    place.hidden = false;
    button.disabled = true;
    request.send(new FormData(form));
  });
})();
