import streamlit as st

st.title("Counter")
step = st.slider("Step", min_value=1, max_value=10, value=1, key="step")

if "total" not in st.session_state:
    st.session_state.total = 0

if st.button("Add", key="add"):
    st.session_state.total += step

st.metric("Total", st.session_state.total)
st.write(f"The total is {st.session_state.total} and the step is {step}.")
