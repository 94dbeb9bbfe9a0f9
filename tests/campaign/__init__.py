"""A campaign of random problems, drawn to be nasty and judged by what shares no code with the library."""
