"""NONMEM-style tables in and out.

One row is one record of one individual. Columns (any order, upper or lower case; others are
ignored):

=============  ==================================================================================
ID             individual; rows of one individual stand together, in order of time
TIME           time [h unless the units line says otherwise], >= 0
DV             concentration of an observation; ``.``, ``NA`` or empty when missing
AMT            amount of a dose
EVID           0 observation, 1 dose, 2 other event (skipped); absent: dose where AMT > 0
MDV            1: DV is to be ignored
RATE or DUR    infusion: RATE = AMT / duration, or the duration itself [h]
ADDL, II       number of further doses and the time between them [h]
CENS, LLOQ     CENS 1: below the limit of quantification, which stands in DV or in LLOQ
ROUTE or CMT   ROUTE oral, iv_bolus, iv_infusion (also po, iv); without it CMT 1 is the oral depot
               and CMT 2 the central compartment (iv); without either, a dose with RATE or DUR is
               an infusion and any other dose is oral
ANALYTE, DRUG  analyte of the row; the first of ANALYTE, DRUG, DVID that is there counts. A dose
or DVID        without an analyte (missing, or 0) is a dose of all; an analyte without a dose of
               its own (a metabolite) takes the individual's doses
STUDY          study of the row
=============  ==================================================================================

ID, TIME, DV and AMT are required. Columns are separated by comma, semicolon, tab or blanks. Lines
that begin with ``#`` or ``@`` are comments; so are rows marked in a first column called ``C``, and
rows with a ``C`` put before their first field. A header may itself begin with ``#``. Units are
taken from an optional line (defaults h, ng/mL, mg)::

    # agmpk units: time=h concentration=ng/mL dose=mg compound="omeprazole sulfone" lloq=0.5
"""
