"""NONMEM-style tables in and out.

One row is one record of one individual. Columns (any order, upper or lower case). Names in brackets
are read as the name before them; whatever else a table holds is named in the summary
(:meth:`agmpk.studies.Reading.describe`, ``agmpk check``) as not used.

=============  ==================================================================================
ID             individual; rows of one individual stand together, in order of time (CID, #ID)
TIME           time [h unless the units line says otherwise], or the time of the day
DATE           day that TIME is relative to: 2024-03-01, a number of days, ... (DAT1, DAT2, DAT3)
DV             concentration of an observation; ``.``, ``NA`` or empty when missing; ``<0.5`` is
               below that limit
AMT            amount of a dose
EVID           0 observation, 1 dose, 2 other event (skipped), 3 and 4 another occasion; absent:
               dose where AMT > 0
MDV            1: DV is to be ignored
RATE or DUR    infusion: RATE = AMT / duration, or the duration itself [h] (TINF, DURATION,
               INFDUR)
ADDL, II       number of further doses and the time between them [h]
SS             1 or 2: steady state of doses every II hours, written out as the doses before
CENS, LLOQ     CENS 1 (BLQ, BLOQ, BQL, BLQFL; also Y and N): below the limit of quantification,
               which stands in DV or in LLOQ (LOQ); without such a flag, values below LLOQ are
ROUTE or CMT   ROUTE oral, iv_bolus, iv_infusion (also po, iv); without it a dose into the
               compartment that samples are taken from is intravenous, else CMT 1 is the oral depot
               and CMT 2 the central compartment (iv); without either, a dose with RATE or DUR is
               an infusion and any other dose is oral
ANALYTE        analyte of the row (DRUG, DVID, YTYPE, DVNAME, PARAMCD ...); without one, the CMT
               of the observations. A dose without an analyte (missing, or 0) is a dose of all; an
               analyte without a dose of its own (a metabolite) takes the individual's doses
STUDY          study of the row (STUDYID)
OCC            occasion of the row (PERIOD, VISIT ...): told apart with ``occasion="split"``
PERSON         the person, where one is several individuals
=============  ==================================================================================

ID, TIME, DV and AMT are required; :class:`agmpk.studies.nonmem.columns.Options` are the ways
through for tables that name or hold them otherwise. Columns are separated by comma, semicolon, tab
or blanks. Lines that begin with ``#`` or ``@`` are comments (but never all rows of an individual);
so are rows marked in a first column called ``C``, and rows with a ``C`` put before their first
field. A header may itself begin with ``#``; several ``TABLE NO.`` blocks are several studies. Units
are taken from an optional line (defaults h, ng/mL, mg)::

    # agmpk units: time=h concentration=ng/mL dose=mg compound="omeprazole sulfone" lloq=0.5

Bounds: times within 1,000,000 h, amounts from 1e-12 to 1e12, concentrations (but 0) from 1e-30 to
1e15, at most 9,999 further doses (ADDL) and 10,000 doses of an individual, files up to 500 MB. A
sample at the very time of a dose counts as drawn before it. Faults are told with file, row, column
and remedy; ``TableError.faults`` holds all of them.
"""
