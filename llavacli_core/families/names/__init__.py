"""Weight names: tables from a checkpoint's to ours, one function that reads them; strangers are refused."""

from llavacli_core.families.names.encoders import ENCODERS as ENCODERS
from llavacli_core.families.names.llava import LLAVA as LLAVA
from llavacli_core.families.names.llava import LLAVA_NEXT as LLAVA_NEXT
from llavacli_core.families.names.llava import LLAVA_NEXT_VIDEO as LLAVA_NEXT_VIDEO
from llavacli_core.families.names.llava import VIP_LLAVA as VIP_LLAVA
from llavacli_core.families.names.table import WHOLE as WHOLE
from llavacli_core.families.names.table import Table as Table
from llavacli_core.families.names.table import Target as Target
from llavacli_core.families.names.table import rename as rename
from llavacli_core.families.names.table import row_of as row_of
from llavacli_core.families.names.table import theirs as theirs
from llavacli_core.families.names.text_decoders import TEXT_DECODERS as TEXT_DECODERS
