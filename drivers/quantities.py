"""The one list of quantities and their units. A new one is added here first.

`step` is the finest difference that means anything to people (for display); `stream` is the branch its readings and
alarms belong to; `kind` is the kind of an alarm about it and its InfluxDB measurement.
"""

from dataclasses import dataclass
from typing import Literal

Stream = Literal["custody", "screening", "environment", "gateway"]


@dataclass(frozen=True, slots=True)
class Quantity:
    unit: str
    kind: str
    step: float
    zh: str
    en: str
    stream: Stream = "environment"


QUANTITIES: dict[str, Quantity] = {
    # noise, A-weighted unless the name says otherwise
    "laf": Quantity("dB(A)", "noise", 0.1, "A声级(快)", "A-weighted level, fast"),
    "las": Quantity("dB(A)", "noise", 0.1, "A声级(慢)", "A-weighted level, slow"),
    "laeq": Quantity("dB(A)", "noise", 0.1, "等效声级", "equivalent level"),
    "lamax": Quantity("dB(A)", "noise", 0.1, "最大声级", "maximum level"),
    "lamin": Quantity("dB(A)", "noise", 0.1, "最小声级", "minimum level"),
    "lcf": Quantity("dB(C)", "noise", 0.1, "C声级(快)", "C-weighted level, fast"),
    "lzf": Quantity("dB(Z)", "noise", 0.1, "Z声级(快)", "unweighted level, fast"),
    "lpeak": Quantity("dB", "noise", 0.1, "峰值声级", "peak level"),
    # air
    "pm1": Quantity("ug/m3", "air", 1, "PM1", "PM1"),
    "pm2_5": Quantity("ug/m3", "air", 1, "PM2.5", "PM2.5"),
    "pm4": Quantity("ug/m3", "air", 1, "PM4", "PM4"),
    "pm10": Quantity("ug/m3", "air", 1, "PM10", "PM10"),
    "pm100": Quantity("ug/m3", "air", 1, "PM100", "PM100"),
    "particles": Quantity("1/cm3", "air", 1, "颗粒物数浓度", "particle count"),
    "particle_size": Quantity("um", "air", 0.01, "典型粒径", "typical particle size"),
    "co2": Quantity("ppm", "air", 1, "二氧化碳", "carbon dioxide"),
    "eco2": Quantity("ppm", "air", 1, "等效二氧化碳(估算)", "equivalent CO2 (trend only)"),
    "tvoc": Quantity("ppb", "air", 1, "总挥发性有机物(趋势)", "TVOC (trend only)"),
    "voc_raw": Quantity("ticks", "air", 1, "VOC原始信号", "raw VOC signal"),
    "hcho": Quantity("ug/m3", "air", 1, "甲醛", "formaldehyde"),
    "hcho_ppb": Quantity("ppb", "air", 1, "甲醛(ppb)", "formaldehyde (ppb)"),
    "co": Quantity("ppm", "air", 0.1, "一氧化碳", "carbon monoxide"),
    "nh3": Quantity("ppm", "air", 0.1, "氨", "ammonia"),
    "h2s": Quantity("ppm", "air", 0.01, "硫化氢", "hydrogen sulphide"),
    "o3": Quantity("ppm", "air", 0.01, "臭氧", "ozone"),
    "no2": Quantity("ppm", "air", 0.01, "二氧化氮", "nitrogen dioxide"),
    "so2": Quantity("ppm", "air", 0.01, "二氧化硫", "sulphur dioxide"),
    "o2": Quantity("%", "air", 0.1, "氧", "oxygen"),
    "aqi": Quantity("AQI", "air", 1, "空气质量指数", "air quality index"),  # made of the others, never measured
    # climate
    "temperature": Quantity("degC", "climate", 0.1, "温度", "temperature"),
    "humidity": Quantity("%RH", "climate", 0.1, "相对湿度", "relative humidity"),
    "pressure": Quantity("hPa", "climate", 0.1, "气压", "air pressure"),
    "illuminance": Quantity("lx", "climate", 1, "照度", "illuminance"),
    # entry thermometers: raw and compensated side by side
    "object_temperature": Quantity("degC", "screening", 0.01, "物体温度", "object temperature", "screening"),
    "body_temperature": Quantity(
        "degC", "screening", 0.1, "体温(设备补偿值)", "body temperature (device's own compensation)", "screening"
    ),
    "ambient_temperature": Quantity("degC", "screening", 0.01, "环境温度", "ambient temperature", "screening"),
    # of the entry screening, made by the gateway
    "person_temperature": Quantity("degC", "screening", 0.1, "过检人员温度", "temperature of one person", "screening"),
    "persons": Quantity("1", "screening", 1, "过检人数", "persons counted", "screening"),
    # vibration
    "velocity": Quantity("mm/s", "vibration", 0.1, "振动速度", "vibration velocity"),
    "acceleration": Quantity("m/s2", "vibration", 0.001, "振动加速度", "vibration acceleration"),
    "displacement": Quantity("um", "vibration", 1, "振动位移", "vibration displacement"),
    "frequency": Quantity("Hz", "vibration", 0.1, "频率", "frequency"),
    # weather and water
    "wind_speed": Quantity("m/s", "weather", 0.1, "风速", "wind speed"),
    "wind_force": Quantity("Bft", "weather", 1, "风力", "wind force"),
    "wind_direction": Quantity("deg", "weather", 1, "风向", "wind direction"),
    "rain": Quantity("mm", "weather", 0.1, "降雨量", "rain, accumulated"),
    "radiation": Quantity("W/m2", "weather", 1, "太阳辐射", "solar radiation"),
    "water": Quantity("0/1", "flood", 1, "水浸", "water present", "gateway"),
    "capacitance": Quantity("pF", "flood", 0.001, "电容", "capacitance", "gateway"),
    # power and the gateway itself
    "voltage": Quantity("V", "power", 0.001, "电压", "voltage", "gateway"),
    "current": Quantity("A", "power", 0.001, "电流", "current", "gateway"),
    "charge": Quantity("%", "power", 1, "电池电量", "battery charge", "gateway"),
    "on_battery": Quantity("0/1", "power", 1, "电池供电", "running on battery", "gateway"),
    "battery_low": Quantity("0/1", "power", 1, "电池电量低", "battery low", "gateway"),
    "chip_temperature": Quantity("degC", "gateway", 0.1, "芯片温度", "chip temperature", "gateway"),
    "input": Quantity("0/1", "gateway", 1, "开关量输入", "digital input", "gateway"),
}
