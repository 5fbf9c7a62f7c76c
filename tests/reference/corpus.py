"""A little text to train the tokenizers on: captions, code, several scripts."""

CORPUS = [
    "USER: What is shown in this image? ASSISTANT: The image shows two cats sleeping on a red sofa.",
    "Describe this image in detail. Where is the square? How many shapes are there? There are three shapes.",
    "You are a helpful assistant. Be brief. Answer the questions in one sentence. user assistant system",
    "The circle is red, the square is blue, the triangle is green and the star is yellow.",
    "a photo of a street at night, with cars, bicycles and people walking in the rain under umbrellas",
    "In the foreground stands a wooden table; behind it, a window opens onto a garden full of flowers.",
    "def main(argv):\n    for name in argv:\n        print(name, len(name))\n    return 0\n",
    "The years 1999, 2007 and 2024; 3.14159; 1,000,000; 50%; $12.50; 7:45 pm.",
    "It's what they've said: we'll see, I'm sure, you're right, don't, can't.",
    "Größe, naïve café, señor, coração, Ærøskøbing, Łódź, čeština, İstanbul.",
    "猫が二匹、赤いソファで眠っています。这张图片里有什么? 고양이 두 마리",
    "Привет, мир! Γειά σου Κόσμε. مرحبا بالعالم שלום עולם नमस्ते दुनिया",
    "emoji 🙂 🐈‍⬛ 👩🏽‍🚀 🇯🇵 and symbols → ≤ ∑ ☃ ✓",
    "  two  spaces   three    four\ttab\t\ttabs\n\nnewlines\n\n\nend  ",
]
