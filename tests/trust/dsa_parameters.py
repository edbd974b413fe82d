"""Domain parameters, made once with openssl genpkey -genparam: searching for them takes longer than all tests with them."""

DSA_1024_160 = b"""
-----BEGIN DSA PARAMETERS-----
MIIBHgKBgQC84Dj7LADX84hkcJYhqZfikwPrFpeMWcC7EEuuzocel1VIrx8P3EK+
Ek+1EVfs2lDwmVqiMH8tYXyxMmMWcjIGuE+CEUEo21J3R6jpG7tIGpWPjx6cHpxP
pHgS6min8vr46/sfry/zecLABsokeUt96GJ2lGUYbfdRvz+RYfKFNQIVAJayzaIK
kSRZPWfRFgM3bep3xsH9AoGACv6r2+kTz9wrqp2qL+3YDOoCwkl0+8jBsuSz/6aa
fd1wyk4mh0jaFclYRyEIWZgQ+Zj4lbjx8ILOKTJDheMjdj+eE2Igw58jRaVjaTcn
XkV/xbD4RJ8kArt9G7mteYzpaLI6JejzW9XJObVtNpr5HAq2IKA5Jyta+CkriWzA
qlI=
-----END DSA PARAMETERS-----
"""

DSA_2048_224 = b"""
-----BEGIN DSA PARAMETERS-----
MIICKQKCAQEArT5H+IDeOtVVo89+2da23fsPCPpf91xsXEefIuIferEdi7Cshnef
qcewvRQyuK/ynFY9eSfvnKNyKgR7m5AaNWl3BxMAoY0eyzYy5bA0Myu6ObYiklsb
iPmknYe3KBJ7g+lRIvrch8gguX+/CrCI19IqVcYvAdY2FcMDSdoz2QkK6KrmmrmC
HJAHiuofmApgBi/j77LfUiuzel4FBWjf4N8+0awUcR7eosRNtbb+NDE6LMcIlevz
1yrDClGATLZ2lXAC8jEVUEPXWp9hPeaAuJdoXp6iN92QQIHtWuvL3S29RSla0iHL
OXiiZiNUMmG6oLLpy03v93O20jTLYXyFeQIdAIf0Ndw57ymid5yol/PFJ8JD3VSZ
83Fz9FrCYgsCggEBAIUraftUadK5ruI0pRIzOtqhf42tkmqxRQ/Q3rcw/Ypc3wxi
r6iXgWdfs2jc2musPydXytMAJk4GZF0HOC4wbsjQJ1Aa6Rfpc5RSap0EdlPpk42N
nTD5ECTPf4+1ZqSDIzkJhkmFISklzsXbJpihKW9UkfrcgU9slf8UPv6PB5M2SqpV
DuXbiU/8uh1GUN8AdEegsE1dcHTmYj+3vG5VZWw+kkyPk1xAW9qEjLBUmM3blpLe
NBuD7epYcItEUYlXj1rhnSGIWTg6jTfiyTx3fJuEhHKfDKN89U7WGiLxb4j6jvWf
bddUNZTUcE3eUkMv9abGBbUWtB96WPm26XpCtCA=
-----END DSA PARAMETERS-----
"""
