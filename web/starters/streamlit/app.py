"""A page that is a script: it runs again, from top to bottom, whenever something on it changes."""

import math

import streamlit as st

st.set_page_config(page_title="Waves", page_icon="🌊")
st.title("Waves")
st.write("Two waves, added. Put your data where `points` is.")

left, right = st.columns(2)
first = left.slider("First wave", 1, 20, 3)
second = right.slider("Second wave", 1, 20, 8)

points = [math.sin(first * x / 100) + math.sin(second * x / 100) for x in range(628)]
st.line_chart(points, height=300)
st.metric("Highest point", f"{max(points):.2f}")
