"""HJ 212, the environment bureaus' wire protocol, without a socket: bytes in, values out, and back.

frame.py     ## LLLL segment CCCC CR LF: found in a stream, checked, made
segment.py   QN=..;ST=..;CN=..;PW=..;MN=..;Flag=..;CP=&&..&&: read strictly, written exactly
editions.py  what the editions of 2005, 2017 and 2025 do differently, as data
factors.py   the codes, units and decimals of what is measured
uploads.py   what is sent: real-time values, minute, hour and day figures
parley.py    one conversation with a platform: answers, retries, what it may ask and set
"""
