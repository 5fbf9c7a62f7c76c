"""How much at a time: what networks go by, and what the count of their memory must know as well."""

CACHE_BLOCK = 256  # positions by which a KV cache grows
TILES_AT_ONCE = 32  # through a tower: more gain nothing, and a hundred frames' activations would fill a card
SLICE = 640  # positions through a feed-forward part: 577 of a tile of 336 pixels in one slice
TOWER_SLICE = 1536  # of a tower with large matrices: two tiles and a half of 336 pixels
SMALL_MATRIX = 2**20  # bytes; a larger one, read anew for every slice, gains only where that costs little
FIRST_WORDS = 8  # tokens of an answer, before which nobody gains from weights that settle
REMAP_BYTES = 64 * 2**20  # source pages that loading keeps mapped at most
