"""llavacli: the terminal. Arguments in, text or JSON out; everything else is `llavacli_core`'s."""
