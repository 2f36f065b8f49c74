import streamlit as st

st.title("Two pages")
st.write("This is the first page.")
