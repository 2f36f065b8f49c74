import streamlit as st

st.title("Squares")
number = st.number_input("Number", value=3, step=1, key="number")
st.write(f"{number} times {number} is {number * number}.")
