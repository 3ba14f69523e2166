"""What a kWh emits by the fuel that it was made from, over the plant's whole life."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class Fuel(StrEnum):
    """What power is made from, as far as its emissions differ."""

    COAL = "coal"
    LIGNITE = "lignite"
    PEAT = "peat"
    COAL_GAS = "coal gas"
    OIL_SHALE = "oil shale"
    GAS = "gas"
    OIL = "oil"
    BIOMASS = "biomass"
    GEOTHERMAL = "geothermal"
    HYDRO = "hydro"
    MARINE = "marine"
    NUCLEAR = "nuclear"
    SOLAR = "solar"
    WIND = "wind"
    WIND_OFFSHORE = "wind offshore"
    STORAGE = "storage"
    """Pumped storage and batteries: what they give was generated, and counted, before."""
    OTHER = "other"
    """Waste, and what its publisher calls other or unknown."""


FACTORS = "IPCC AR5 (2014), annex III, medians"
"""As facts name them: working group III, annex III, table A.III.2, Schlömer et al., page 1335,
https://www.ipcc.ch/site/assets/uploads/2018/02/ipcc_wg3_ar5_annex-iii.pdf."""

G_PER_KWH: Mapping[Fuel, float] = MappingProxyType(
    {
        Fuel.COAL: 820.0,  # AR5, coal, pulverised
        Fuel.LIGNITE: 1113.0,  # not in AR5: Germany's coal in 2025, three quarters lignite, by Electricity Maps
        Fuel.PEAT: 820.0,  # not in AR5: taken as coal
        Fuel.COAL_GAS: 820.0,  # not in AR5: of coke ovens and blast furnaces, taken as coal
        Fuel.OIL_SHALE: 820.0,  # not in AR5: taken as coal
        Fuel.GAS: 490.0,  # AR5, gas, combined cycle
        Fuel.OIL: 650.0,  # not in AR5: UK Parliament, POSTnote 268 (2006), as Electricity Maps takes it
        Fuel.BIOMASS: 230.0,  # AR5, biomass, dedicated
        Fuel.GEOTHERMAL: 38.0,  # AR5
        Fuel.HYDRO: 24.0,  # AR5
        Fuel.MARINE: 17.0,  # AR5, ocean
        Fuel.NUCLEAR: 12.0,  # AR5
        Fuel.SOLAR: 48.0,  # AR5, photovoltaic, utility; on roofs 41
        Fuel.WIND: 11.0,  # AR5, onshore
        Fuel.WIND_OFFSHORE: 12.0,  # AR5
    }
)
"""g CO2eq/kWh, lifecycle. Storage and other fuels have none: they count as the rest of their grid does."""
