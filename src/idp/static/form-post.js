// Without this the citizen presses the button.
document.getElementById("form-post").submit();
