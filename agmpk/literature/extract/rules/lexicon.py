"""Words that are drug names, and words of titles that are not.

The stems are those of the international nonproprietary names (WHO INN stem book); the list holds
common names that carry no stem. Together with the title's grammar they find the compound.
"""

from __future__ import annotations

import re

STEMS = re.compile(
    r".{2,}(?:pril(?:at)?|sartan|olol|alol|dilol|statin|dipine|azole|oxacin|mycin|micin|cillin"
    r"|tidine|setron|triptan|gliptin|gliflozin|glitazone|glinide|"
    r"tinib|ciclib|rafenib|parib|metinib|zomib|lisib|vir|ciclovir|citabine|vudine|mab|parin"
    r"|gatran|xaban|grel|grelor|lukast|semide|thiazide|thalidone|zepam|zolam|zolpidem|pidem|"
    r"barbital|caine|dronate|dronic acid|profen|fenac|coxib|oxicam|metacin|azepine|apine|peridone"
    r"|piprazole|idone|triptyline|pramine|oxetine|faxine|traline|clone|gabalin|racetam|toin|"
    r"bamate|suximide|trigine|dopa|giline|capone|pexole|stigmine|mantine|rubicin|platin|taxel"
    r"|trexate|prine|limus|fungin|bendazole|nidazole|conazole|quine|quin|antel|cycline|prim|"
    r"fibrate|glutide|gestrel|gest|estradiol|gestone|onide|solone|sone|metasone|terol|phylline"
    r"|fylline|tropium|fenacin|tadine|tirizine|nadine|astine|pheniramine|ramine|prazole|sulide|"
    r"zosin|losin|osin|nidine|oxidil|darone|afil|asteride|steride|codone|orphan|adol|fentanil"
    r"|fentanyl|trexone|mide|zide|rone|lamine|drine|zine|pine|oxone|olone|tant|ant|stat|oxin|"
    r"ifene|trozole|tropin|zumab|poetin|glargine|degron|xetine|nazole|pezil|begron|sidomine"
    r"|vaptan|entan|ciguat|sacubitril|lutamide|rsen|tide|flurane|ethicone|cromil|dine|tine|mine|"
    r"pam|lam|gline|glipizide|liride|spirone|xolone|cillinate|fenib|degib|clax|prost|tecan|ermin"
    r"|stim)$",
    re.I,
)
NAMES = set(
    "metformin paracetamol acetaminophen warfarin digoxin caffeine theophylline nicotine morphine "
    "methadone naloxone codeine oxycodone tramadol aspirin acetylsalicylate "
    "salicylate levothyroxine liothyronine phenytoin valproate valproic carbamazepine "
    "oxcarbazepine eslicarbazepine ethosuximide lithium colchicine allopurinol febuxostat "
    "isoniazid rifampicin rifampin rifapentine pyrazinamide ethambutol efavirenz nevirapine "
    "lamivudine stavudine abacavir emtricitabine tenofovir dolutegravir praziquantel albendazole "
    "mebendazole ivermectin chloroquine hydroxychloroquine primaquine artemether lumefantrine "
    "artesunate mefloquine quinine pyrimethamine sulfadoxine proguanil atovaquone "
    "cyclosporine ciclosporin cyclosporin mycophenolate azathioprine mercaptopurine methotrexate "
    "imatinib hydroxyurea capecitabine temozolomide tamoxifen letrozole anastrozole "
    "exemestane bicalutamide abiraterone lenalidomide thalidomide deferasirox glimepiride "
    "gliclazide glibenclamide glyburide glipizide repaglinide nateglinide pioglitazone acarbose "
    "sitagliptin vildagliptin linagliptin empagliflozin dapagliflozin canagliflozin clopidogrel "
    "prasugrel ticagrelor apixaban rivaroxaban dabigatran edoxaban cilostazol pentoxifylline "
    "trimetazidine ranolazine ivabradine nitroglycerin isosorbide amiodarone propafenone "
    "flecainide verapamil diltiazem hydralazine clonidine moxonidine methyldopa furosemide "
    "torsemide "
    "torasemide bumetanide spironolactone eplerenone indapamide chlorthalidone ezetimibe "
    "fenofibrate gemfibrozil bezafibrate niacin alendronate risedronate ibandronate raloxifene "
    "calcitriol cholecalciferol ergocalciferol finasteride dutasteride sildenafil tadalafil "
    "vardenafil dapoxetine solifenacin tolterodine oxybutynin mirabegron donepezil memantine "
    "rivastigmine galantamine levodopa carbidopa entacapone pramipexole ropinirole rasagiline "
    "selegiline gabapentin pregabalin topiramate zonisamide levetiracetam brivaracetam lacosamide "
    "perampanel clobazam vigabatrin haloperidol risperidone paliperidone olanzapine quetiapine "
    "clozapine aripiprazole ziprasidone lurasidone amisulpride sulpiride citalopram escitalopram "
    "sertraline fluoxetine paroxetine venlafaxine duloxetine mirtazapine bupropion trazodone "
    "buspirone methylphenidate atomoxetine modafinil zolpidem zopiclone eszopiclone melatonin "
    "betahistine cinnarizine flunarizine domperidone metoclopramide itopride mosapride loperamide "
    "ondansetron omeprazole esomeprazole lansoprazole pantoprazole rabeprazole ranitidine "
    "famotidine "
    "nizatidine ursodeoxycholic mesalamine mesalazine sulfasalazine budesonide prednisone "
    "prednisolone methylprednisolone dexamethasone hydrocortisone deflazacort cetirizine "
    "levocetirizine "
    "loratadine desloratadine fexofenadine ebastine rupatadine bilastine montelukast zafirlukast "
    "salbutamol albuterol bambuterol doxofylline ambroxol bromhexine acetylcysteine carbocisteine "
    "dextromethorphan guaifenesin pseudoephedrine ibuprofen ketoprofen naproxen diclofenac "
    "aceclofenac indomethacin indometacin etodolac ketorolac meloxicam piroxicam lornoxicam "
    "nimesulide celecoxib "
    "etoricoxib mefenamic tizanidine baclofen cyclobenzaprine methocarbamol eperisone tolperisone "
    "thiocolchicoside chlorzoxazone amoxicillin ampicillin clavulanate clavulanic cefalexin "
    "cephalexin cefadroxil cefaclor "
    "cefuroxime cefixime cefdinir cefpodoxime cefditoren azithromycin clarithromycin erythromycin "
    "roxithromycin doxycycline minocycline tetracycline linezolid nitrofurantoin fosfomycin "
    "sulfamethoxazole trimethoprim metronidazole tinidazole secnidazole ornidazole fluconazole "
    "itraconazole voriconazole posaconazole ketoconazole terbinafine griseofulvin acyclovir "
    "aciclovir "
    "valacyclovir valaciclovir famciclovir oseltamivir entecavir adefovir ribavirin sofosbuvir "
    "levonorgestrel ethinylestradiol drospirenone desogestrel dienogest norethindrone "
    "norethisterone "
    "progesterone medroxyprogesterone estradiol testosterone tibolone misoprostol mifepristone "
    "cabergoline bromocriptine bosentan ambrisentan macitentan riociguat tacrolimus sirolimus "
    "everolimus "
    "leflunomide teriflunomide tofacitinib baricitinib apremilast fingolimod riluzole "
    "pyridostigmine tranexamic folic ascorbic carnitine levocarnitine glucosamine isotretinoin "
    "acitretin "
    "bosutinib dasatinib nilotinib gefitinib erlotinib sorafenib sunitinib lapatinib pazopanib "
    "ibrutinib paclitaxel docetaxel tegafur zidovudine didanosine lopinavir ritonavir atazanavir "
    "darunavir "
    "raltegravir curcumin silymarin silibinin genistein withanolides allicin berberine pridinol "
    "fexuprazan vonoprazan revaprazan udenafil mirodenafil sarpogrelate beraprost choline "
    "amlodipine "
    "nifedipine felodipine lercanidipine nebivolol bisoprolol metoprolol atenolol propranolol "
    "carvedilol ticlopidine sacubitril tamsulosin alfuzosin silodosin doxazosin terazosin "
    "prazosin enoxaparin insulin "
    "cannabidiol dronabinol buprenorphine fentanyl tapentadol hydromorphone pethidine ketamine "
    "midazolam lorazepam diazepam alprazolam clonazepam bromazepam etizolam".split()
)
NOT_DRUGS = set(
    "sample size simulation simulations simulated highly variable designs statistical power model "
    "modeling review meta-analysis systematic comments commentary letter bioequivalence "
    "bioequivalent equivalence bioavailability pharmacokinetic pharmacokinetics "
    "study studies trial trials formulation formulations tablet tablets capsule capsules product "
    "products "
    "comparison comparative compared assessment evaluation investigation determination "
    "development validation two three four single multiple dose doses dosing oral orally healthy "
    "volunteers subjects adults men women male "
    "males female females human humans chinese indian korean thai mexican brazilian pakistani "
    "iranian jordanian indonesian japanese caucasian european african arab arabic malaysian "
    "tunisian turkish egyptian saudi german "
    "patients fasting fasted fed conditions condition state states randomized randomised "
    "crossover cross-over open-label open label double-blind blind period periods sequence "
    "sequences replicate design generic brand branded innovator originator "
    "reference test new novel different brands preparations preparation drug drugs film-coated "
    "film coated extended-release extended release sustained-release sustained prolonged-release "
    "prolonged modified-release modified immediate-release immediate delayed-release "
    "enteric-coated "
    "controlled-release orally disintegrating dispersible chewable effervescent suspension "
    "solution syrup oral-suspension sachet sachets granules powder injection infusion plasma "
    "serum blood human relative tolerability safety efficacy food effect influence "
    "using liquid chromatography mass spectrometry lc-ms lc-ms/ms hplc tandem method assay "
    "approach population under with without from between and for the of in on by after versus "
    "against its their a an is are as to at or "
    "hydrochloride maleate sodium potassium calcium besylate mesylate succinate tartrate fumarate "
    "citrate phosphate sulfate acetate bromide hydrobromide magnesium tosylate nitrate valerate "
    "palmitate disodium dihydrate monohydrate "
    "fixed-dose combination combinations combined fixed pilot pivotal clinical steady-state "
    "steady standard marketed commercial commercially available manufacturers manufacturer "
    "strength strengths low high mg µg g once daily twice healthy-volunteers "
    "case report analysis results data based simple rapid sensitive quantification estimation "
    "application genotype sex gender racemate enantiomers enantiomer metabolite metabolites "
    "active parent measured tested testing compare comparing "
    "soft hard gelatin gel pellets pellet micronized osmotic matrix layer bilayer mini prodrug "
    "biosimilar intravenous intramuscular subcutaneous topical inhaled nasal transdermal patch "
    "cream spray urinary recovery criteria meets meet does not change equivalent "
    "interchangeability pharmacodynamic pharmacodynamics biowaiver vitro vivo correlation "
    "dissolution absorption rate extent profile profiles exposure young elderly old "
    "postmenopausal extensive metabolisers metabolizers compendium comparability dried adult "
    "children pediatric school "
    "film strip strips ready-to-use kit drops elixir dry original compare brand-name local "
    "imported domestic china india korea thailand mexico brazil pakistan iran jordan indonesia "
    "japan africa europe turkey egypt".split()
)
ESTERS = (
    "mofetil",
    "axetil",
    "proxetil",
    "medoxomil",
    "cilexetil",
    "pivoxil",
    "disoproxil",
    "alafenamide",
    "etexilate",
    "acid",
    "mononitrate",
    "dinitrate",
    "alfoscerate",
    "bisulfate",
    "undecanoate",
    "enanthate",
    "cypionate",
    "decanoate",
    "palmitate",
    "propionate",
    "furoate",
    "dipropionate",
)
SALTS = (
    "hydrochloride",
    "dihydrochloride",
    "hcl",
    "maleate",
    "sodium",
    "potassium",
    "calcium",
    "besylate",
    "besilate",
    "mesylate",
    "mesilate",
    "succinate",
    "tartrate",
    "bitartrate",
    "fumarate",
    "citrate",
    "phosphate",
    "sulfate",
    "sulphate",
    "acetate",
    "bromide",
    "hydrobromide",
    "magnesium",
    "tosylate",
    "tosilate",
    "nitrate",
    "disodium",
    "trihydrate",
    "dihydrate",
    "monohydrate",
    "malate",
    "tromethamine",
    "trometamol",
    "hemihydrate",
    "hyclate",
    "oxalate",
    "pamoate",
    "camsylate",
    "napadisylate",
    "arginine",
    "lysine",
    "erbumine",
    "olamine",
    "choline",
)
_NEVER = {
    "volunteer",
    "significant",
    "relevant",
    "constant",
    "important",
    "peptide",
    "vitamine",
    "determine",
    "medicine",
    "examine",
    "routine",
    "line",
    "baseline",
    "urine",
    "participant",
    "equivalent",
    "resultant",
    "concomitant",
    "compliant",
    "predominant",
    "variant",
    "instant",
    "distant",
    "redundant",
    "pregnant",
    "dominant",
    "infant",
    "abundant",
    "tolerant",
    "resistant",
    "excipient",
    "bromide",
    "examined",
    "determined",
    "define",
    "combine",
    "refine",
    "fine",
    "nine",
    "mine",
    "medline",
    "creatinine",
    "saline",
    "amine",
    "protein",
    "plasma",
    "sample",
    "genuine",
    "online",
    "outline",
    "vaccine",
    "machine",
    "magazine",
    "applicant",
    "guideline",
    "decline",
    "milestone",
    "hormone",
    "cone",
    "alone",
    "done",
    "prone",
    "everyone",
    "none",
    "acetone",
    "ketone",
    "pine",
    "valine",
    "margin",
    "origin",
    "wine",
    "dine",
    "tine",
    "adjuvant",
    "redox",
    "thermostat",
    "stat",
    "timepoint",
    "mentation",
    "infrequent",
    "surfactant",
    "plant",
    "elephant",
    "grant",
    "quadrant",
    "ant",
}


_PREFIXES = re.compile(r"(?:cef|ceph|sulfa|predni)[a-z]{3,}$")


def is_drug(word: str) -> bool:
    """Whether `word` is a known drug name or carries an INN stem."""
    lowered = word.lower().strip("-")
    if lowered in _NEVER or lowered in NOT_DRUGS or len(lowered) < 5:
        return False
    return lowered in NAMES or (
        (STEMS.match(lowered) is not None or _PREFIXES.match(lowered) is not None)
        and lowered.isascii()
        and not lowered.endswith(("ivalent", "icant", "evant", "ipant", "itant", "stant"))
    )
