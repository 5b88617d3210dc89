"""What the silence auditor knows: words by concept, and which concepts together are worth a reply.

Written from the four criteria alone (acute distress; severe weather, natural hazard, breaking structure; damage or
fire; safety-critical signal), never from an evaluation set.
"""

from dataclasses import dataclass
from typing import Final

from schemas.taxonomy import AuditLabel, Criterion

# Phrases are "/"-separated; the longest phrase at a place wins, so "alarm clock" is never an ALARM.
# Articles, possessives and forms of "to be" are dropped and endings stripped before phrases are compared.
LEXICON: Final[dict[str, str]] = {
    # how it is said
    "NEG": "no/not/without/never/nobody/neither/nor/instead of/rather than/absence of/free of/hardly any/lack",
    "DISTANT": "distant/distance/far/far away/faraway/faint/faintly/remote/in background/across valley/across town/"
    "miles away/several blocks away/fade away/fade/receding/muffled/barely audible/blocks away/streets away",
    "CLOSE": "close/close range/nearby/near/right behind/behind me/behind us/behind listener/next to/right next/beside/"
    "overhead/right outside/at listener/toward listener/toward us/toward me/a few steps/arm length/straight ahead/"
    "bearing down/point blank/directly/driver ear/immediately",
    "INTENSE": "loud/blare/deafening/violent/intense/sudden/urgent/frantic/repeated/continuous/piercing/insistent/"
    "sharp/long blast/extremely/furious/desperate/powerful/massive/tremendous/huge/explosive/ear splitting/"
    "relentless/incessant/aggressive/shrill/wildly/hard/severe/terrible/nonstop/non stop/full blast/thunderous crack",
    "VIOLENT": "violent/extreme/wild/furious/alarming/severe/excessive/dangerous",
    "GENTLE": "gentle/gently/soft/light/quiet/slight/mild/small/tiny/calm/peaceful/soothing/brief/single/polite/"
    "relaxing/delicate/lazy/low rumble",
    "PLAYBACK": "film/movie/cinema/television/tv/tv show/on radio/radio play/radio drama/video game/arcade/cartoon/"
    "toy/ringtone/ring tone/podcast/audiobook/theatre/theater/stage play/on stage/actor/actress/rehearse/rehearsal/"
    "pretend/pretending/imitate/imitation/imitating/mimic/mimicking/impression of/fake/joking/joke/haunted house/"
    "horror show/sampled/remix/in song/screen/streaming series/soundtrack/game console/plastic toy/parody/in play/"
    "computer game/sound effect toy/trailer/puppet/documentary",
    "DRILL": "drill exercise/fire drill/evacuation drill/emergency drill/safety drill/training exercise/weekly test/"
    "monthly test/test signal/scheduled test/routine test/being tested/test button/tested",
    "PLAYFUL": "playful/play with/at play/children play/kid play/play tag/play game/play in garden/play in park/playground/laughter/laugh/giggle/excited/excitement/delight/delighted/joy/joyful/cheer/"
    "cheering/party/roller coaster/amusement park/concert/stadium/fans scream/scream fan/cheering fan/football fan/goal/birthday/celebrate/celebration/tickle/"
    "water slide/trampoline/game/carnival/fairground/happy/happily/surprise party/fun/idol",
    "EXERCISE": "exercise/workout/gym/treadmill/run/runner/jog/jogger/jogging/yoga/meditation/meditate/sprint/"
    "training/weightlifter/barbell/climb/stretch/stretching/yawn/athlete/tennis/marathon/push up/dance/cyclist/lift/wake/waking",
    "SPORT": "boxing/boxer/punching bag/martial art/karate/dojo/ring side/wrestling/sparring/judo/skateboard/"
    "skateboarder/gymnast/ski/skier/rugby/football/baseball/bowling/pitch/referee/ice hockey/snowboard",
    # people
    "HUMAN": "person/man/woman/boy/girl/child/children/kid/people/someone/somebody/adult/elderly/grandmother/"
    "grandfather/patient/worker/pedestrian/cyclist/body/passenger/baby/infant/toddler/male/female/human/voice/"
    "neighbour/neighbor/friend/mother/father/driver/hiker/swimmer/he/she/resident/customer/student/guest",
    "CROWD": "crowd/people/audience/shopper/passenger/commuter/spectator/bystander",
    "BABY": "baby/infant/newborn/toddler",
    "CHOKE": "choke/choking/choke on/suffocate/suffocating/asphyxiate/strangle/gag/gagging/gasp for air/gasp for breath/"
    "gasp for oxygen/gasping for air/struggle to breathe/struggling to breathe/struggle for breath/struggle for air/fight for breath/fight for air/fight to breathe/"
    "cannot breathe/not breathing/unable to breathe/stop breathing/difficulty breathing/trouble breathing/hard to breathe/"
    "short of breath/shortness of breath/labored breath/laboured breath/breath labored/agonal/death rattle/stridor/"
    "hyperventilate/asthma/asthma attack/asthmatic/drown/respiratory distress/respiratory failure/airway/obstructed airway/"
    "catch breath desperately/apnea/apnoea/anaphylaxis/allergic reaction/croup/turn blue",
    "CHOKED_UP": "choke up/choke back/choke with emotion/choke with laughter/choke with tear/gag reel/gag gift",
    "COUGH": "cough/coughing/hack/hacking",
    "FIT": "fit/attack/uncontrollable/uncontrollably/violent/persistent/relentless/cannot stop/will not stop/unable to stop/nonstop/"
    "non stop/hacking/blood/spasm/paroxysm/paroxysmal/whooping/prolonged/over and over/severe/for air/"
    "desperate/bout/incessant/convulsive/again and again/doubled over/unending/smoke/bursting lung",
    "GURGLE": "gurgle/gurgling/strangled/muffled gasp",
    "SCALD": "burn hand/burn finger/burn arm/burn skin/scald/cut finger/cut hand/break leg/break arm/break ankle/sprain ankle/broken nose",
    "FREQUENT": "repeated/constant/heavy/heavily/harsh/bad/badly/hard/continuous/chesty/wet/deep/intense/frequent/loud",
    "WHEEZE": "wheeze/wheezing/wheezy/rasping breath/raspy breath/rattling breath/ragged breath/shallow breath/ragged breathing",
    "BREATH_HARD": "heavy breath/rapid breath/fast breath/breath heavy/breath hard/breath rapid/breath fast/breathe heavily/"
    "gasp/gasping/out of breath/panting/pant",
    "PAIN": "in pain/of pain/with pain/from pain/pain/painful/agony/agonized/agonised/agonizing/in distress/anguish/anguished/"
    "excruciating/injured/injury/wound/wounded/bleed/hurt/writhing/torture/tortured/clutching chest/in labor/contraction/broken leg/broken arm",
    "VOCAL": "scream/cry/groan/moan/yell/shout/howl/wail/whimper/yelp/shriek/grunt/sob/gasp/breath/voice/squeal/"
    "sound/call/whine/exclaim/hiss",
    "HELP": "for help/help me/help us/for rescue/scream for help/save me/for ambulance/call ambulance/call doctor/call paramedic/call 911/mayday/sos/distress call/emergency call/"
    "somebody help/please help",
    "HELP_WORD": "help/rescue",
    "SHOUT": "shout/yell/scream/cry/beg/plead/call",
    "HELP_DESK": "help with/help find/help desk/help center/help centre/ask for help with/helping hand/self help/helpful/helped/help line",
    "SCREAM": "scream/shriek/blood curdling/bloodcurdling/screaming",
    "TERROR": "terror/terrified/terrify/horror/horrified/panic/panicked/panicking/fear/frightened/desperate/desperation/"
    "hysterical/hysteria/fearful/scared/blood curdling/stampede/flee/dread",
    "COLLAPSE": "unconscious/lose consciousness/loses consciousness/pass out/faint and fall/faint onto floor/man faint/woman faint/seizure/convulsion/convulse/"
    "convulsing/heart attack/cardiac arrest/flatline/flat line/flatlining/overdose/heatstroke/concussion/broken bone/bone break/"
    "bone snap/bone crack/bone fracture/epileptic/bleeding out/electrocuted/electrocution/electric shock",
    "FALL": "fall down/fall stair/fall on stair/fall hard/fall heavily/fall to ground/fall to floor/fall onto/fall from/fall off"
    "slip and fall/tumble down/hit ground/hit floor/collapse/collapses/trip and fall/fall over/slip on ice/slip on wet/slip in bath/thud to floor/crash to floor/crumple to",
    "FALL_BENIGN": "fall asleep/fall silent/fall quiet/nightfall/waterfall/fall leaf/slip on shoe/slip into/slip out/slipper/field trip/"
    "road trip/trip planner",
    "VOMIT": "vomit/vomiting/retch/retching/throw up/throwing up/puke/puking/dry heave/being sick/violently sick",
    "MOAN": "moan/groan/whimper/moaning/groaning/whimpering",
    "SNORE": "snore/snoring",
    "VIOLENCE": "fist fight/fistfight/assault/brawl/physical fight/fight break out/punch in face/punch each other/stab/stabbing/mugging/struggle with attacker/attacker",
    "WEEP": "sob/sobbing/weep/weeping/cry/crying/tearful/bawl/bawling/wail/whimper/in tears/grief/grieve/grieving/mourn/mourning/"
    "heartbroken/despair/depressed/lonely/sad/sadly/sadness/upset/miserable/sniffle and sob/sorrow/anguish/distraught/"
    "discouraged/dejected/tear/weary sigh/sad sigh/hopeless",
    "ANGER": "angry/anger/argue/argument/arguing/quarrel/quarreling/quarrelling/yell at/shout match/shouting match/raised voice/rage/"
    "furious voice/frustrated/frustration/anxious/anxiety/row between/scold/scolding/annoyed/bicker",
    "JOY_TEARS": "tear of joy/happy tear/cry with laughter/laugh until cry/cry out in joy/battle cry/war cry/cry of gull/"
    "cry of seagull/cry of hawk/cry of eagle/cry of bird/street cry/far cry/cry of joy/joyful cry/whimper puppy/cry of vendor",
    # structure, ground, weather
    "GLASS": "glass/window/windowpane/window pane/bottle/mirror/windshield/windscreen/vase/pane/plate/dish/dishes/ceramic/porcelain/"
    "mug/cup/jar/light bulb/lightbulb/bulb/chandelier/aquarium/crockery/tableware/pottery/glassware/china plate/teacup/flowerpot",
    "BREAK": "break/breaking/breakage/shatter/shattering/smash/smash into/smashing/broken/burst/splinter/to pieces/into pieces/explode/crack/cracked/"
    "shard/fracture/crash/crash to floor/crash to ground/crash onto floor/crash down",
    "IDIOM": "drown out/drown in noise/bath bomb/rifle through/eruption of/avalanche of paper/gale of laughter/seat belt/seatbelt/hail of applause/hail cab/storm of applause/thunder of applause/thunderous applause/rain of applause/wave of laughter/roar of laughter",
    "BREAK_IDIOM": "break into laughter/break into song/break into applause/breaks silence/break dance/break room/lunch break/"
    "coffee break/commercial break/tea break/break time/smash hit/ball game/crack joke/crack egg/crack open/crack nut/crack knuckle/"
    "knuckle crack/joint crack/neck crack/crack joint/break bread/snap finger/snap of finger/break of dawn/break dawn/daybreak/whip crack/"
    "crack whip/eggshell crack/safety crack/wave break/break wave/breaker/wave crash/crash wave/cymbal crash/crash cymbal/wave burst/"
    "crash of wave/crash of cymbal/cracker/twig snap/snap twig/dry twig/small twig/small stick",
    "RECYCLE": "recycle/recycling/trash/rubbish/bin/dumpster/skip container",
    "DRINK": "glass of water/glass of juice/glass of lemonade/glass of milk/glass of wine/glass of beer/ice in glass/into glass/in glass/ice cube/drink/cocktail/soda/lemonade/whisky/whiskey/beverage",
    "STRUCTURE": "ceiling/roof/building/bridge/beam/scaffold/scaffolding/shelf/bookshelf/tower/dam/ladder/tree/trunk/tree trunk/branch/tree branch/limb/"
    "ice sheet/frozen lake/lake ice/river ice/thin ice/ice/glacier/cliff/rock/boulder/rafter/balcony/mine shaft/tunnel/timber/wood/plank/floorboard/wooden beam/"
    "structure/chimney/concrete/facade/staircase/power pole/telephone pole/billboard/crane/foundation/pier/wall/frozen surface/wooden support",
    "GIVE_WAY": "collapse/collapsing/crack/cracking/give way/giving way/splinter/splintering/topple/topple over/snap/snapping/come crashing down/fall down/"
    "fall apart/crumble/crumbling/rupture/split/splitting/buckle/buckling/cave in/tear apart/break apart/break off/break/crash down/crash to ground/"
    "disintegrate/fracture/burst/crash to floor/come down",
    "LOAD_BEARING": "ceiling/roof/building/bridge/dam/balcony/scaffold/scaffolding/ice/ice sheet/frozen lake/lake ice/river ice/thin ice/staircase/wall/beam/"
    "wooden beam/floorboard/tunnel/mine shaft/crane/grandstand/pier/stage rigging/platform/frozen surface",
    "COLLAPSING": "collapse/crack/give way/break/break apart/cave in/crumble/burst/topple/buckle/come down/come crashing down/fall apart/split",
    "FALLER": "tree/tree trunk/branch/tree branch/ceiling/roof tile/rock/boulder/debris/bookshelf/ladder/scaffold/scaffolding/crane/stone/tower/chimney/billboard/"
    "power pole/plaster/rubble/brick/wardrobe/shelf/tile/icicle/chandelier",
    "FALLING": "fall/tumble/tumble down/slide down/come down/rain down/crash/crash down/crash onto/crash to ground/crash to floor/fall down/fall off/fall onto/fall from/"
    "fall over/fall to ground/fall to floor/plunge/roll down/hit ground",
    "DROPS": "rain/snow/leaf/leave/apple/petal/snowflake/water/raindrop/nut/acorn/bird",
    "CARPENTRY": "chop/chopping/axe/firewood/split firewood/hammer/nail/carpenter/carpentry/saw wood/lumberyard/chisel/split log/log splitter/demolish toy/"
    "lego/toy block/building block/block tower/jenga/card house/sandcastle/domino/wood block/snowball/split wood/kindling",
    "CREAK": "creak/creaking/groan/groaning/strain/straining",
    "UNDER_LOAD": "ominous/ominously/under strain/under load/under weight/heavy load/about to break/about to collapse/dangerously/alarmingly/"
    "weaken/overloaded/on verge",
    "GEO": "earthquake/quake/seismic/aftershock/landslide/mudslide/rockslide/rockfall/rock fall/falling rock/fall rock/avalanche/volcanic/volcano erupt/eruption/"
    "lava/tsunami/flash flood/flood/floodwater/flooding/sinkhole/debris flow/storm surge/dam break/ground shake/ground tremble/"
    "earth tremor/earth shake/falling boulder/boulder roll/stone fall/tremor/mudflow/tidal wave/wildfire/forest fire/bushfire/brush fire/"
    "volcano/ground rumble/icefall/glacier calve",
    "STORM": "hurricane/tornado/typhoon/cyclone/blizzard/hailstorm/sandstorm/dust storm/severe storm/violent storm/twister/thunderstorm/squall/gale/"
    "severe thunderstorm/cloudburst/snowstorm/ice storm/severe weather/extreme weather/"
    "storm force wind/lightning strike/lightning strikes/lightning bolt",
    "STORM_MILD": "storm/stormy/lightning/hail/torrential rain/torrential downpour/torrential/deluge",
    "HAIL": "hail/hailstone",
    "BATTERING": "hammer/strike/pound/pelt/smash/large/heavy/huge/golf ball/batter/dent/bounce off car/crash",
    "THUNDER": "thunder/thunderclap/thunder clap/thunder roll",
    "WIND": "wind/gust/breeze",
    "RAIN": "rain/raindrop/drizzle/rainfall",
    "WAVE": "wave/surf/sea/ocean/swell",
    "RAGING": "violent/raging/destructive/extreme/ferocious/roof tile/rip/tear/tear off/towering/gigantic/monstrous/storm force/uproot/catastrophic/"
    "life threatening/dangerous/severe",
    "EXPLOSION": "explosion/explode/exploding/detonate/detonation/bomb/bomb blast/blow up/gas blast/grenade/blasting cap/dynamite",
    "BALLOON": "balloon/popcorn/bubble/firework/fireworks/firecracker/festival/champagne/cork/paper bag/confetti/pyrotechnic/party popper",
    "GUN": "gunshot/gun shot/gunfire/gun fire/rifle/pistol/shotgun/machine gun/shots fired/shot fired/shooter/firearm/handgun/artillery",
    "GUN_BENIGN": "shooting range/firing range/starting pistol/starter pistol/starter gun/nail gun/staple gun/paintball/water pistol/water gun/"
    "toy gun/heat gun/glue gun/spray gun/salute/biathlon/clay pigeon/massage gun/hunting season/squirt gun/cap gun",
    "PREDATOR": "bear/lion/tiger/wolf/wolves/leopard/crocodile/alligator/cougar/mountain lion/boar/bull/hyena/shark",
    "VENOM": "rattlesnake/snake/viper/cobra/serpent/swarm/bee swarm/wasp nest/hornet nest/angry bee/swarming",
    "DOG": "dog/hound/canine/puppy/guard dog",
    "THREAT": "growl/growling/snarl/snarling/roar/charge/charging/attack/attacking/lunge/vicious/aggressive/hiss/rattle/stalk/bare teeth/swarm/menacing",
    "ZOO": "zoo/enclosure/cage/circus/aquarium/terrarium/teddy/stuffed/mascot/safari park/gummy",
    "BEAST": "goat/fox/peacock/parrot/gull/seagull/crow/bird/birds/blackbird/jay/owl/cat/cats/kitten/monkey/hawk/eagle/pig/piglet/horse/cow/"
    "goose/geese/duck/rooster/cockerel/hen/chicken/frog/insect/cicada/squirrel/lamb/sheep/donkey/dolphin/whale/puppy/swift/bat/elephant/coyote",
    # fire and machines
    "SMOKE_ALARM": "smoke alarm/smoke detector/fire alarm/carbon monoxide alarm/carbon monoxide detector/co alarm/co detector/gas alarm/"
    "gas detector/heat detector/smoke detector alarm/fire bell/sprinkler alarm/leak detector/overheat alarm",
    "LOW_BATTERY": "low battery/chirp/chirping/single chirp/battery chirp/battery low",
    "GAS": "gas/propane/butane/methane/natural gas/gas pipe/gas valve/gas cylinder/gas canister/gas line/gas stove/gas tank/gas main/chemical/ammonia/chlorine/"
    "pressurized gas/steam/steam pipe/refrigerant/compressed air/air hose/pressure vessel/steam valve/gas hose/gas cooker/gas burner",
    "ESCAPING": "leak/leaking/hiss/hissing/escape/escaping/rupture/burst/vent uncontrollably/whistling leak/release",
    "STEAM": "steam/espresso/iron/kettle/radiator/locomotive/train/steamer/sauna/coffee machine/cappuccino",
    "FIZZ": "soda/can/bottle/beer/spray can/aerosol/air brake/gas station/petrol station/bus door/fizz/inflate/bicycle pump/tyre pump/tire pump/perfume/balloon",
    "ARC": "arcing/electrical arc/electric arc/arc flash/short circuit/shorting/electrical short/electrical fault/blown fuse/fuse blow/sparking/electrical fire/"
    "electrical crackle/electrical sparking/electrical spark/electrical crackling/high voltage/live wire/downed power line/downed line/electrical pop",
    "WIRING": "wire/wiring/outlet/power outlet/socket/cable/power cable/power line/transformer/fuse/fuse box/circuit/circuit breaker/plug/"
    "electrical panel/electrical/electricity/power strip/charger/battery/extension cord/cord/substation/switchboard/breaker box/lithium",
    "SPARKS": "spark/sparking/crackle/crackling/pop/popping/sizzle/zap/arc/smoke/burn/melt/fizz/fizzle/explode/short/catch fire",
    "WELDING": "weld/welding/welder/tesla coil/bug zapper/static electricity/plasma globe/sparkler/spark plug/cable car/circuit training/charging cable plug",
    "FIRE": "fire/catch fire/burst into flame/go up in flame/flame/blaze/burn/burning/ablaze/inferno/flames/ignite/combustion",
    "HEARTH": "fireplace/campfire/camp fire/bonfire/hearth/candle/match/matchstick/lighter/cigarette/incense/wood stove/log fire/"
    "open fire/fire pit/firepit/barbecue/bbq/grill/torch/tiki/brazier/chimney fire place/cozy/cosy/camping/campsite/marshmallow/oil lamp/stove burner/"
    "gas burner lit/forge/blacksmith/kiln/pizza oven/birthday cake/wood burning stove",
    "FIRE_OTHER": "fire engine/fire truck/fire brigade/fire station/fire department/fire escape/fire hydrant/fire extinguisher/fire up/rapid fire/"
    "ceasefire/fireman/firefighter/fire door/under fire/fire pole/crossfire/fire ant/firefly/campfire song/burn rubber/burn cd/firewall/fire exit",
    "BUILT": "kitchen/house/building/curtain/room/apartment/flat/car/vehicle/engine/pan/oil/grease/factory/warehouse/office/bed/bedroom/garage/"
    "workshop/stove/oven/toaster/furniture/sofa/attic/roof/wall/shop/school/hotel/laboratory/basement/laundry/dryer/microwave/server/barn/kitchen counter",
    "WILDLAND": "forest/wild/grass/brush/bush/hillside/woodland/prairie/dry field/wildland/tree canopy/canyon",
    "SPREADING": "roaring/raging/spread/spreading/engulf/engulfing/out of control/uncontrolled/consume/leap/thick smoke/explosive/fierce/devour/destroy/accidental",
    "SMOKE_SIGN": "billowing smoke/thick smoke/smoke pour/smoke fill/smoke billow/smell of burning/burning smell/burning plastic/burnt smell",
    "MACHINE": "engine/motor/machine/machinery/pump/compressor/fan/ceiling fan/generator/turbine/gearbox/gear/bearing/brake/washer/dryer/dishwasher/"
    "washing machine/tumble dryer/fridge/refrigerator/freezer/air conditioner/air conditioning/boiler/furnace/heater/water heater/elevator/escalator/conveyor/"
    "conveyor belt/power drill/saw/table saw/circular saw/chainsaw/grinder/lathe/hydraulic press/mower/lawn mower/lawnmower/vacuum/vacuum cleaner/blender/"
    "mixer/printer/computer/hard drive/hard disk/laptop/car/truck/lorry/vehicle/bus/motorcycle/motorbike/scooter/airplane/aircraft/plane/helicopter/propeller/"
    "tire/tyre/wheel/belt/drive belt/fan belt/chain/tractor/excavator/forklift/power tool/radiator/pipe/valve/microwave/oven/appliance/equipment/device/"
    "robot/server/exhaust/transmission/blade/hydraulic/ventilator/drill/crane/press/hoist/winch/centrifuge/reactor/pressure cooker/toaster/hair dryer/jet engine/"
    "sewing machine/welder/projector/garage door/cooling fan/cooling system/speaker system/treadmill/tram/train/boat engine/outboard/piston/cylinder/water pump/"
    "fuel pump/water pipe/exhaust pipe/hinge/tap/faucet/hose/water main/rotor/loader/combine harvester/thresher/scaffold lift/air compressor",
    "FAULT": "malfunction/malfunctioning/fail/failing/failure/break down/breaking down/breakdown/overheat/overheating/smoking/smoke/spark/sparking/burst/bursting/"
    "blowout/blow out/rupture/seize/seizing/seize up/misfire/misfiring/metal on metal/grinding metal/metal grinding/metallic grinding/abnormal/abnormally/unusual/"
    "irregular/irregularly/erratic/erratically/faulty/damaged/damage/defective/dangerous/dangerously/violent/shudder/out of control/uncontrollable/catch fire/"
    "overload/overloaded/derail/snap/off balance/unbalanced/out of balance/explode/self destruct/shake apart/fly apart/tear itself apart/shake violently/"
    "bang violently/strange/worn/worn out/broken/burning/melt/leak/leaking/leak gas/gush/gushing/spray everywhere/bearing failure/about to fail/dying/jam and smoke/"
    "kickback/loose bolt/loose part/come loose/runaway/run away/dry running/without oil/no oil",
    "NOISE_OF_WEAR": "grind/grinding/screech/screeching/squeal/squealing/knock/knocking/shriek/scrape/scraping/clank/clanking/bang/banging/pinging",
    "MILD_FAULT": "rattle/rattling/sputter/sputtering/stall/stalling/jam/jammed/stuck/clunk/clunking/wobble/cough/splutter/strain/straining/struggle/struggling/"
    "will not start/fail to start/not start/fails to start/error/stutter/clicking/whine/glitch/backfire/flicker/flat/drag/skip/beep error/squeak/creak/clatter",
    "WEARING_PART": "engine/motor/bearing/gearbox/gear/belt/drive belt/fan belt/fan/ceiling fan/pump/turbine/washer/washing machine/compressor/transmission/piston/rotor/"
    "conveyor/elevator/dryer/generator/air conditioner/boiler/furnace/fridge/refrigerator/garage door/hard drive/blender/lathe/machine/machinery/cylinder/dishwasher",
    "NORMAL_OPERATION": "smooth/smoothly/steady/steadily/normal/normally/regular/usual/idle/idling/ordinary/coffee grinder/angle grinder/bench grinder/pepper grinder/"
    "pepper mill/sharpening/sharpen/grind coffee/coffee bean/grindstone/sanding/polish/grind spice/mill grain/cutting metal",
    "OVERFLOW": "overflow/overflowing/spill over/flooded/flood over/water pour from ceiling/pour through ceiling/burst pipe/pipe burst/water main break/burst water main/"
    "broken water pipe/leak from ceiling/run over edge",
    "BOIL_OVER": "boil over/boiling over/boil dry/boils over/left unattended/unattended",
    "LEAKY": "leaky/leaky tap/leaky faucet/leaking tap/leaking faucet/drip tap/dripping faucet/paper jam/dead battery/engine not start/printer jam/jammed printer/"
    "engine crank/error beep/error tone/fault code/fault beep/door open beep/door ajar",
    # signals
    "SIREN": "siren/police siren/ambulance siren/fire engine siren/fire truck siren/emergency siren/emergency vehicle",
    "EMERGENCY_CAR": "ambulance/police car/fire engine/fire truck/patrol car/rescue vehicle",
    "WAIL": "wail/blare/siren/scream/rush/race/horn",
    "CIVIL_SIREN": "tornado siren/air raid siren/civil defense siren/civil defence siren/tsunami siren/storm siren/evacuation siren/warning siren/flood siren/"
    "evacuation alarm/evacuate/evacuation/emergency broadcast/emergency alert/emergency announcement/tsunami warning/tornado warning/earthquake warning/severe weather warning/"
    "earthquake alert/general alarm/abandon ship/radiation alarm/nuclear alarm/weather siren",
    "REVERSE_BEEP": "reversing beep/reversing beeper/backup beep/backup beeper/backup alarm/back up alarm/reversing alarm/backup warning/reverse warning/"
    "back up beep/back up beeper/reversing signal/backup signal/reverse parking alarm",
    "REVERSE": "back up/reverse/reversing truck/reversing vehicle/reverse gear/in reverse/move backward/roll backward",
    "BEEP": "beep/beeping/beeper/tone/alarm/signal/chirp/alert/buzzer/bleep/chime/warning",
    "HORN": "horn/honk/honking/car horn/vehicle horn/toot/hooter/beep horn/air horn/car honk/truck horn/train horn",
    "BIG_HORN": "truck/lorry/train/locomotive/bus/air horn/truck horn/train horn/semi/freight/tram/18 wheeler/train whistle",
    "HORN_BENIGN": "french horn/english horn/horn section/alphorn/party horn/shofar/vuvuzela/bicycle horn/bike horn/clown horn/clown nose/brass/orchestra/band/jazz/"
    "goose/geese/trumpet/flugelhorn/hunting horn/rubber horn/wedding/parade/shoe horn/shoehorn/drinking horn/saxophone",
    "TRAFFIC": "traffic jam/city traffic/busy street/rush hour/busy road/busy intersection/heavy traffic/congested/urban ambience/street ambience/traffic ambience/"
    "downtown traffic/gridlock",
    "SHIP_HORN": "foghorn/fog horn/ship horn/boat horn/ferry horn/ship/ferry/train whistle/steam whistle/locomotive whistle",
    "SKID": "screeching brake/screeching tire/screeching tyre/tire screech/tyre screech/brake screech/tire squeal/tyre squeal/skid/skidding/brake hard/slam brake/slam on brake/"
    "swerve/swerving/emergency braking/brake sharply/hard braking/squealing tire/squealing tyre/brake slam/tires shriek",
    "COLLISION": "car crash/collision/collide/crash into/slam into/pileup/pile up/car accident/traffic accident/road accident/train crash/plane crash/hit and run/run over pedestrian/"
    "metal crunch/rear ended/wreck/hit by car/struck by car/vehicle crash/truck crash/motorcycle crash/bike crash/rollover/overturn",
    "CRASH": "crash/crash to ground/smash into/plough into/plow into",
    "VEHICLE": "drone/airplane/plane/helicopter/car/truck/lorry/bus/van/vehicle/motorcycle/motorbike/train/tram/bicycle/scooter/forklift/taxi/excavator/bulldozer/loader/tractor/dump truck/garbage truck/digger/crane",
    "HURTLING": "speed toward/speeding toward/head straight/heading straight/out of control/barrel/barrelling/barreling/bear down/run red light/hurtle/race toward/careen/"
    "rush toward/rush straight/approach fast/approach rapidly/approach at high speed/rapidly approaching/fast approaching",
    "CROSSING": "level crossing/railroad crossing/railway crossing/train crossing/grade crossing/crossing gate/crossing barrier/crossing bell/crossing signal bell",
    "FAULT_SIGN": "fault/failure/malfunction/breakdown/overheating/control panel/engine/reactor/boiler/overload",
    "ALARM": "alarm/alarms/alarm bell/alert tone/alert siren/buzzer alarm/alarm tone",
    "ALARM_SERIOUS": "burglar alarm/security alarm/intruder alarm/car alarm/panic alarm/emergency alarm/warning alarm/factory alarm/industrial alarm/medical alarm/patient monitor/"
    "heart monitor/cardiac monitor/ventilator alarm/hospital monitor/theft alarm/home alarm/vehicle alarm/oxygen alarm/monitor alarm/danger alarm/ship alarm/burglary alarm/"
    "collision warning/lane departure/stall warning/terrain warning/warning buzzer/warning beep/warning tone/warning horn/warning signal/warning bell/danger signal/emergency buzzer/klaxon/"
    "proximity warning/low oxygen",
    "MONITOR": "patient monitor/heart monitor/cardiac monitor/hospital monitor/ekg/ecg",
    "CLOCK": "alarm clock/phone alarm/wake up alarm/morning alarm/timer/oven timer/kitchen timer/egg timer/alarm on phone/smartphone/microwave beep/cuckoo clock/cell phone/"
    "bedside/snooze/doorbell/door bell/notification/mobile phone/morning/wake up/bedroom/wristwatch/watch alarm/telephone/phone ring/school bell/alarm call/elevator ding",
    "WARNING_SHOUT": "watch out/look out/take cover/shout warning/warning shout/shouted warning/shout of warning/everybody out/run for life/shout fire/yell fire",
    "OFF": "switch off/turn off/alarm silenced/stop ringing/stop beeping/deactivated/switched off/turned off",
    # everyday sounds, for the reason of a silent verdict
    "BODY": "cough/sneeze/sniff/sniffle/hiccup/burp/fart/yawn/sigh/breath/heartbeat/footstep/clap/chew/gargle/clear throat/throat clear/whisper/hum/whistle/snore/"
    "laugh/giggle/swallow/sip/gulp/slurp/applause/finger snap/blow nose/walk/run/chatter/talk/speech/conversation/speak/sing/sneezing fit",
    "HOUSEHOLD": "door/drawer/clock/tick/keyboard/type/typing/mouse click/tap/faucet/shower/toilet/flush/dish/pour/stir/cutlery/spoon/fry/sizzle/boil/kettle/vacuum/brush/"
    "broom/sweep/zipper/paper/page/bell/doorbell/phone/telephone/knock/microwave/hair dryer/razor/toothbrush/clink/set down/put down/coin/key/light switch/curtain/iron/"
    "chop vegetable/knife/cup/glass/plate/place/pen/pencil/scissor/camera/washing machine/dishwasher/fridge/fan",
    "ANIMAL": "dog/cat/bark/meow/purr/bird/chirp/rooster/crow/hen/cow/moo/sheep/goat/pig/horse/duck/goose/frog/cricket/insect/bee/mosquito/fly/owl/wolf/lion/pigeon/puppy",
    "WEATHER": "rain/wind/breeze/drizzle/sea/wave/surf/stream/river/brook/waterfall/leaf/water/drip/snow/raindrop/ocean/fountain/creek",
    "TRAFFIC_SOUND": "car/truck/bus/train/tram/motorcycle/bicycle/airplane/helicopter/engine/traffic/boat/subway/plane/vehicle/jet/ferry",
    "TOOL": "drill/saw/chainsaw/hammer/sander/lathe/grinder/sewing machine/mower/lawn mower/compressor/crane/tractor/conveyor/pump/generator/ratchet/machine/printer/motor",
    "MUSIC": "music/piano/guitar/violin/drum/cymbal/flute/trumpet/orchestra/choir/song/melody/cello/organ/accordion/harp/band/saxophone/chime/synthesizer/singer/singing",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Rule:
    """Concepts of `needs` within `reach` words of the caption, none of `unless` there -> `label`.

    A need with a leading "@" may also stand in the scenario, an exception with one also beside the sound. `assist`
    and `far` replace the label under that policy, and for a sound that is far away.
    """

    label: AuditLabel
    criterion: Criterion
    confidence: float
    reason: str
    needs: str
    unless: str = ""
    assist: AuditLabel | None = None
    far: AuditLabel | None = None
    reach: int = 9


RULES: Final[tuple[Rule, ...]] = (
    # acute physiological distress
    Rule("respond", "distress", 0.92, "blocked airway or failing breath", "CHOKE", "MACHINE CHOKED_UP"),
    Rule("respond", "distress", 0.88, "a coughing fit, not a cough", "COUGH FIT", "MACHINE"),
    Rule("respond", "distress", 0.8, "coughing and fighting for breath", "COUGH BREATH_HARD", "MACHINE @EXERCISE"),
    Rule("borderline", "distress", 0.5, "hard coughing: a cold or a fit", "COUGH FREQUENT", "MACHINE"),
    Rule("respond", "distress", 0.72, "wheezing breath", "WHEEZE", "MACHINE MUSIC PLAYFUL BEAST @EXERCISE"),
    Rule("borderline", "distress", 0.5, "hard breathing: effort or distress", "BREATH_HARD",
         "MACHINE DOG BEAST MUSIC @PLAYFUL @EXERCISE @SPORT STEAM"),
    Rule("respond", "distress", 0.9, "a voice in pain", "PAIN VOCAL", "@SPORT"),
    Rule("respond", "distress", 0.8, "somebody hurt", "PAIN HUMAN", "@SPORT"),
    Rule("respond", "distress", 0.95, "a call for help", "HELP", "HELP_DESK @PLAYFUL"),
    Rule("respond", "distress", 0.82, "an injury", "SCALD", "@PLAYFUL"),
    Rule("respond", "distress", 0.7, "failing breath", "GURGLE HUMAN", "BABY MACHINE @PLAYFUL"),
    Rule("respond", "distress", 0.85, "a call for help", "HELP_WORD SHOUT", "HELP_DESK @PLAYFUL"),
    Rule("respond", "distress", 0.92, "a scream of terror", "SCREAM TERROR", "MACHINE BEAST @PLAYFUL", far="borderline"),
    Rule("respond", "distress", 0.68, "a human scream", "SCREAM",
         "MACHINE BEAST MUSIC SKID STEAM WIND EMERGENCY_CAR SIREN BABY ANGER @PLAYFUL @SPORT", far="borderline"),
    Rule("borderline", "distress", 0.5, "a baby's scream: pain or temper", "SCREAM BABY", "@PLAYFUL"),
    Rule("respond", "distress", 0.82, "people in panic", "CROWD TERROR", "@PLAYFUL"),
    Rule("respond", "distress", 0.92, "collapse, seizure or injury", "COLLAPSE", "MACHINE @PLAYFUL"),
    Rule("respond", "distress", 0.8, "somebody falls", "HUMAN FALL", "FALL_BENIGN @PLAYFUL @SPORT"),
    Rule("respond", "distress", 0.74, "vomiting", "VOMIT", "@PLAYFUL"),
    Rule("respond", "distress", 0.82, "breathing stops in sleep", "SNORE CHOKE"),
    Rule("borderline", "distress", 0.5, "a moan: pain or effort", "MOAN HUMAN",
         "@PLAYFUL @EXERCISE @SPORT MUSIC BABY"),
    Rule("respond", "distress", 0.78, "violence against a person", "VIOLENCE", "@SPORT @PLAYFUL"),
    Rule("respond", "distress", 0.85, "a patient monitor in alarm", "MONITOR ALARM"),
    Rule("respond", "distress", 0.8, "a patient monitor in alarm", "MONITOR INTENSE"),
    # negative emotion, only where the policy comforts
    Rule("silent", "emotion", 0.72, "crying: no emergency", "WEEP", "JOY_TEARS BEAST DOG @PLAYFUL MACHINE MUSIC WIND SIREN", assist="respond"),
    Rule("silent", "emotion", 0.68, "anger: no emergency", "ANGER", "BEAST VENOM MUSIC @PLAYFUL", assist="respond"),
    # breaking structure, ground and weather
    Rule("respond", "hazard", 0.9, "glass or crockery breaks", "GLASS BREAK",
         "BREAK_IDIOM RECYCLE DRINK BALLOON WAVE", far=None),
    Rule("borderline", "hazard", 0.5, "bottles in a bin or a break", "GLASS BREAK RECYCLE"),
    Rule("respond", "hazard", 0.8, "a structure gives way", "STRUCTURE GIVE_WAY",
         "BREAK_IDIOM CARPENTRY HEARTH GLASS FIRE WIND RAIN WAVE DRINK GENTLE HUMAN COUGH FALL_BENIGN MUSIC"),
    Rule("respond", "hazard", 0.8, "something heavy falls", "FALLER FALLING",
         "BREAK_IDIOM CARPENTRY HEARTH DROPS WAVE GENTLE FALL_BENIGN MUSIC @PLAYFUL", reach=3),
    Rule("respond", "hazard", 0.82, "a structure gives way", "LOAD_BEARING COLLAPSING",
         "BREAK_IDIOM CARPENTRY HEARTH DRINK WAVE GENTLE MUSIC"),
    Rule("respond", "hazard", 0.72, "a structure under strain", "STRUCTURE CREAK UNDER_LOAD"),
    Rule("respond", "hazard", 0.92, "a geological hazard or flood", "GEO", "GENTLE FALL_BENIGN"),
    Rule("respond", "hazard", 0.82, "severe weather", "STORM", "GENTLE", far="borderline"),
    Rule("respond", "hazard", 0.78, "thunder close by", "THUNDER INTENSE", "GENTLE", far="silent"),
    Rule("respond", "hazard", 0.76, "thunder close by", "THUNDER @CLOSE", "GENTLE", far="silent"),
    Rule("respond", "hazard", 0.74, "thunder close by", "THUNDER GIVE_WAY", "GENTLE", far="silent"),
    Rule("borderline", "hazard", 0.5, "thunder: near or far", "THUNDER", "GENTLE", far="silent"),
    Rule("respond", "hazard", 0.7, "a hailstorm", "HAIL BATTERING", "GENTLE IDIOM", far="borderline"),
    Rule("borderline", "hazard", 0.5, "a storm of unknown force", "STORM_MILD", "GENTLE VEHICLE", far="silent"),
    Rule("respond", "hazard", 0.68, "weather that destroys", "STORM_MILD RAGING", "GENTLE"),
    Rule("respond", "hazard", 0.68, "weather that destroys", "WIND RAGING", "GENTLE MUSIC"),
    Rule("respond", "hazard", 0.66, "weather that destroys", "RAIN RAGING", "GENTLE"),
    Rule("respond", "hazard", 0.64, "dangerous sea", "WAVE RAGING", "GENTLE", far="silent"),
    Rule("respond", "hazard", 0.86, "an explosion", "EXPLOSION", "BALLOON @PLAYFUL", far="borderline"),
    Rule("respond", "signal", 0.86, "gunfire", "GUN", "@GUN_BENIGN @SPORT", far="borderline"),
    Rule("respond", "hazard", 0.74, "a venomous or swarming animal", "VENOM THREAT", "@ZOO @PLAYFUL"),
    Rule("respond", "hazard", 0.7, "a venomous or swarming animal", "VENOM @CLOSE", "@ZOO @PLAYFUL"),
    Rule("borderline", "hazard", 0.5, "a dangerous animal: near or far", "VENOM", "@ZOO @PLAYFUL", far="silent"),
    Rule("respond", "hazard", 0.68, "a dangerous animal close by", "PREDATOR THREAT", "@ZOO @PLAYFUL", far="borderline"),
    Rule("respond", "hazard", 0.62, "an attacking dog", "DOG THREAT INTENSE", "@PLAYFUL", far="silent"),
    Rule("borderline", "hazard", 0.5, "a growling dog: warning or play", "DOG THREAT", "@PLAYFUL", far="silent"),
    # equipment and fire
    Rule("borderline", "equipment", 0.55, "a detector's battery warning", "SMOKE_ALARM LOW_BATTERY", assist="respond"),
    Rule("respond", "equipment", 0.95, "a smoke, fire or gas alarm", "SMOKE_ALARM", "LOW_BATTERY", far="borderline"),
    Rule("respond", "equipment", 0.9, "gas or pressure escapes", "GAS ESCAPING", "STEAM FIZZ"),
    Rule("respond", "equipment", 0.74, "steam bursts out", "STEAM FAULT", "FIZZ"),
    Rule("respond", "equipment", 0.9, "an electrical fault", "ARC", "WELDING"),
    Rule("respond", "equipment", 0.86, "an electrical fault", "WIRING SPARKS", "WELDING"),
    Rule("respond", "equipment", 0.86, "fire where none belongs", "FIRE @BUILT", "@HEARTH FIRE_OTHER WELDING @WILDLAND"),
    Rule("respond", "hazard", 0.84, "fire in the wild", "FIRE @WILDLAND", "@HEARTH FIRE_OTHER"),
    Rule("respond", "equipment", 0.8, "a fire that spreads", "FIRE SPREADING", "@HEARTH FIRE_OTHER"),
    Rule("respond", "equipment", 0.8, "smoke where none belongs", "SMOKE_SIGN", "@HEARTH"),
    Rule("borderline", "equipment", 0.5, "a fire: hearth or accident", "FIRE", "@HEARTH FIRE_OTHER WELDING GUN GUN_BENIGN GENTLE"),
    Rule("respond", "equipment", 0.82, "a machine that fails", "MACHINE FAULT",
         "NORMAL_OPERATION FIZZ STORM WAVE IDIOM", reach=8),
    Rule("respond", "equipment", 0.68, "a machine wearing itself out", "WEARING_PART NOISE_OF_WEAR",
         "NORMAL_OPERATION DOG", reach=4),
    Rule("respond", "equipment", 0.66, "a machine wearing itself out", "MACHINE MILD_FAULT VIOLENT", "NORMAL_OPERATION GENTLE"),
    Rule("borderline", "equipment", 0.5, "a machine that may be failing", "WEARING_PART MILD_FAULT",
         "NORMAL_OPERATION GENTLE", assist="respond", far="silent", reach=3),
    Rule("silent", "equipment", 0.6, "a nuisance, no danger", "LEAKY", assist="respond"),
    Rule("silent", "equipment", 0.6, "a nuisance, no danger", "MACHINE MILD_FAULT", "NORMAL_OPERATION GENTLE", assist="respond", reach=3),
    Rule("respond", "equipment", 0.78, "water where none belongs", "OVERFLOW"),
    Rule("borderline", "equipment", 0.5, "an unattended pot", "BOIL_OVER", assist="respond"),
    # safety-critical signals
    Rule("respond", "hazard", 0.94, "a civil warning", "CIVIL_SIREN"),
    Rule("respond", "signal", 0.8, "an emergency siren", "SIREN", "CIVIL_SIREN MUSIC", far="silent"),
    Rule("respond", "signal", 0.8, "an emergency vehicle in action", "EMERGENCY_CAR WAIL", "", far="silent"),
    Rule("respond", "signal", 0.9, "a reversing vehicle", "REVERSE_BEEP", "", far="silent"),
    Rule("respond", "signal", 0.86, "a reversing vehicle", "REVERSE BEEP", "CLOCK", far="silent"),
    Rule("respond", "signal", 0.8, "a reversing vehicle", "REVERSE VEHICLE @CLOSE", "", far="silent"),
    Rule("respond", "signal", 0.88, "a horn at close range", "HORN @CLOSE", "@HORN_BENIGN BEAST", far="silent"),
    Rule("respond", "signal", 0.8, "an insistent horn", "HORN INTENSE", "@HORN_BENIGN BEAST TRAFFIC", far="silent"),
    Rule("respond", "signal", 0.66, "the horn of a heavy vehicle", "HORN BIG_HORN", "@HORN_BENIGN BEAST TRAFFIC GENTLE", far="silent"),
    Rule("borderline", "signal", 0.5, "a ship's or train's signal: near or far", "SHIP_HORN HORN", far="silent"),
    Rule("borderline", "signal", 0.5, "a horn: near or far", "HORN", "@HORN_BENIGN BEAST TRAFFIC MUSIC", far="silent"),
    Rule("respond", "signal", 0.82, "emergency braking", "SKID", "@SPORT", far="borderline"),
    Rule("respond", "hazard", 0.92, "a collision", "COLLISION", "BREAK_IDIOM WAVE @SPORT", far="borderline"),
    Rule("respond", "hazard", 0.85, "a collision", "VEHICLE CRASH", "BREAK_IDIOM WAVE MUSIC @SPORT", far="borderline"),
    Rule("respond", "signal", 0.8, "a vehicle out of control", "VEHICLE HURTLING"),
    Rule("respond", "signal", 0.76, "a railway crossing's warning", "CROSSING", "", far="silent"),
    Rule("respond", "signal", 0.78, "a security or danger alarm", "ALARM_SERIOUS", "CLOCK", far="silent"),
    Rule("respond", "equipment", 0.8, "a machine's fault alarm", "ALARM FAULT_SIGN", "CLOCK", far="borderline"),
    Rule("respond", "signal", 0.66, "an insistent alarm", "ALARM INTENSE", "@CLOCK BEAST", far="borderline"),
    Rule("borderline", "signal", 0.5, "an alarm of unknown kind", "ALARM", "@CLOCK BEAST", far="silent"),
    Rule("respond", "signal", 0.85, "a shouted warning", "WARNING_SHOUT", "@PLAYFUL @SPORT"),
)  # fmt: skip

EVERYDAY: Final[tuple[tuple[str, str], ...]] = (
    ("MUSIC", "music"),
    ("BODY", "an everyday human sound"),
    ("BABY", "an everyday human sound"),
    ("ANIMAL", "an animal going about its day"),
    ("WEATHER", "ordinary weather or water"),
    ("HEARTH", "a fire where it belongs"),
    ("CLOCK", "a domestic signal"),
    ("HOUSEHOLD", "household routine"),
    ("TOOL", "a tool at work"),
    ("TRAFFIC_SOUND", "ordinary traffic"),
    ("CROWD", "people together"),
)
