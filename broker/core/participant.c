#include "core/participant.h"

#include <stdio.h>

static const char *const words[60] = {
    "Albacore", "Anemone",   "Barracuda", "Beluga",  "Cormorant", "Cuttlefish", "Dolphin",   "Dugong",  "Grouper",
    "Halibut",  "Krill",     "Lobster",   "Manatee", "Marlin",    "Narwhal",    "Nautilus",  "Octopus", "Orca",
    "Oyster",   "Puffin",    "Badger",    "Beaver",  "Bison",     "Bobcat",     "Caribou",   "Cheetah", "Ermine",
    "Falcon",   "Ferret",    "Gazelle",   "Gecko",   "Heron",     "Ibex",       "Jackal",    "Kestrel", "Lemur",
    "Lynx",     "Marmot",    "Ocelot",    "Okapi",   "Achernar",  "Alcor",      "Aldebaran", "Altair",  "Antares",
    "Arcturus", "Bellatrix", "Canopus",   "Capella", "Castor",    "Deneb",      "Electra",   "Mizar",   "Pollux",
    "Procyon",  "Regulus",   "Rigel",     "Sirius",  "Spica",     "Vega",
};

void participant_name(struct core *core, char out[PARTICIPANT_MAX])
{
    uint32_t numbers[2];
    core_random(core, numbers, sizeof numbers);
    snprintf(out, PARTICIPANT_MAX, "%s-%u", words[numbers[0] % 60], 1000 + numbers[1] % 9000);
}
