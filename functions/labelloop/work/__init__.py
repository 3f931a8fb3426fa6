"""Work that runs outside a state, and what a failure leaves behind."""
