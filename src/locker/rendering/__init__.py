"""Pictures of PDF pages, made in a worker process with limits: pdfium is C++ and reads what strangers wrote."""
