"""The stock of words for prompts that begin without a picture."""

_SUBJECTS = (
    "a red bicycle",
    "an old upright piano",
    "a string of paper lanterns",
    "a flock of origami cranes",
    "a wooden rowing boat",
    "a stack of leather suitcases",
    "a brass telescope",
    "a glass greenhouse",
    "an orange tent",
    "a long table set for twelve",
    "a blue door standing open",
    "a weathered armchair",
    "a painted carousel horse",
)
_PLACES = (
    "beside a still mountain lake",
    "in a walled garden",
    "at the edge of a pine forest",
    "on a windswept beach",
    "in an empty museum hall",
    "under an arched stone bridge",
    "on a city rooftop",
    "in a field of lavender",
    "at the foot of a waterfall",
    "in a quiet railway station",
    "on a white salt flat",
)
_LIGHTS = (
    "in low golden light",
    "in soft morning fog",
    "under a clear winter sky",
    "at blue hour",
    "in the glow of street lamps",
    "just after the rain",
    "in bright, even daylight",
)

SUGGESTIONS: dict[str, tuple[str, tuple[tuple[str, ...], ...]]] = {
    "scene": (
        "{} {} {}, {}, {}.",
        (
            (
                "A wide shot of",
                "A close view of",
                "A low-angle view of",
                "A view from above of",
                "A long-lens view of",
            ),
            _SUBJECTS,
            _PLACES,
            _LIGHTS,
            (
                "muted colours and fine grain",
                "deep shadows and one warm accent",
                "crisp textures, shallow depth of field",
                "pastel colours and plenty of empty space",
                "reflections on wet ground",
                "strong symmetry, rich colour",
                "drifting dust and soft highlights",
                "long shadows and a calm horizon",
                "cool tones with a glint of gold",
            ),
        ),
    ),
    "video": (
        "{} {} {}, {}, {}.",
        (
            (
                "A slow push-in on",
                "A tracking shot past",
                "A crane shot rising over",
                "A locked-off shot of",
                "An arc shot around",
            ),
            _SUBJECTS,
            _PLACES,
            _LIGHTS,
            (
                "unhurried, ending on a still frame",
                "with leaves drifting through the frame",
                "in one unbroken take",
                "with a gentle rack of focus",
                "the light changing as it goes",
                "with slow clouds behind",
                "in slow motion",
                "with a soft handheld sway",
                "closing on the smallest detail",
            ),
        ),
    ),
    "image": (
        "{} {} {}, {}, {}.",
        (
            (
                "An editorial photograph of",
                "A loose watercolour of",
                "A two-colour linocut of",
                "A finely shaded pencil drawing of",
                "A studio photograph of",
            ),
            _SUBJECTS,
            _PLACES,
            _LIGHTS,
            (
                "balanced around a strong diagonal",
                "with wide, quiet margins",
                "rich in small detail",
                "with a limited palette",
                "with bold, simple shapes",
                "framed through a window",
                "centred and symmetrical",
                "with visible paper texture",
                "with a bright accent off-centre",
            ),
        ),
    ),
    "audio": (
        "{} {}, {}, {}, {}.",
        (
            (
                "A slow ambient piece for",
                "A bright waltz for",
                "A sparse nocturne for",
                "A steady, pulsing theme for",
                "A lilting folk tune for",
            ),
            (
                "solo cello",
                "felt piano",
                "two acoustic guitars",
                "marimba and double bass",
                "string quartet",
                "analogue synthesizers",
                "flute and harp",
                "brass choir",
                "hand drums and oud",
                "accordion",
                "glass harmonica",
                "clarinet and piano",
                "wordless voices",
            ),
            (
                "with rain on a tin roof behind it",
                "with distant surf behind it",
                "over the hum of a night train",
                "with birdsong at the edges",
                "with wind in tall grass behind it",
                "over the murmur of a café",
                "with church bells far away",
                "over a crackling fire",
                "with footsteps on gravel behind it",
                "over a ticking clock",
                "with crickets in the pauses",
            ),
            (
                "hushed and close",
                "hopeful",
                "wistful",
                "playful",
                "solemn",
                "weightless",
                "warm and patient",
            ),
            (
                "fading out on one held note",
                "building to a single swell",
                "with long natural reverb",
                "recorded dry and near",
                "with tape-worn edges",
                "in a slow three-four",
                "with wide stereo movement",
                "leaving room for a voice",
                "looping without a seam",
            ),
        ),
    ),
}
"""By mode: a pattern and the parts for it, their numbers pairwise coprime, so that parts which
change with every number meet in all their combinations before one comes back."""

_VISUAL = (
    (
        "soft directional light",
        "gentle rim light",
        "luminous, layered light",
        "even, natural light",
    ),
    ("a balanced composition", "a clear focal point", "generous negative space", "layered depth"),
    ("rich surface texture", "fine detail throughout", "crisp material detail"),
    ("a harmonious palette", "nuanced colour", "controlled contrast", "subtle tonal gradation"),
    ("a quiet mood", "a sense of anticipation", "an inviting atmosphere", "a timeless feel"),
)

ENRICHMENTS: dict[str, tuple[tuple[str, ...], ...]] = {
    "scene": (
        *_VISUAL,
        ("a wide establishing view", "a strong sense of place", "foreground, middle and distance"),
    ),
    "video": (
        *_VISUAL,
        ("a slow push-in", "a smooth tracking move", "a steady locked-off camera"),
        ("an unhurried pace", "motion that eases in and out", "a clean loop"),
    ),
    "image": (
        *_VISUAL,
        ("an 85 mm lens look", "shallow depth of field", "sharp from edge to edge"),
    ),
    "audio": (
        ("a warm low end", "airy highs", "a clear, centred lead"),
        ("natural room reverb", "a close, intimate recording", "a wide stereo image"),
        ("an unhurried tempo", "a gentle pulse", "a slow build"),
        ("a quiet mood", "a hopeful turn", "a bittersweet colour"),
        ("a soft fade at the end", "a clean ending", "a seamless loop"),
    ),
}
"""By mode: aspects, of which several are chosen, and the wordings of each, of which one."""
