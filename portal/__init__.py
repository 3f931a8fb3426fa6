"""The labelling portal: `page` is what the browser runs, `server` what answers it."""
